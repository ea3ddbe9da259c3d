"""The pictures of docs/, from the sandbox's page: `python -m tests.support.pictures` takes them again.

All of Questbell runs meanwhile, so the pictures show what it really says. The times in them are those of the run.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, FloatRect, Locator, Page, ViewportSize, async_playwright, expect

from sandbox.demo.environment import sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.discord.demo_script import button
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import Message
from sandbox.servers.tools import find_browser

PICTURES = Path(__file__).parents[2] / "docs" / "images"
CHANNEL = "game-night"
LIGHTHOUSE = {
    "title": "The Lighthouse at Grey Harbor",
    "when": "friday 8pm",
    "players": 5,
    "description": "Bring a **lantern**. We start at level 3.",
}
SALT_ROAD = {"title": "The Salt Road, chapter four", "when": "in 3620 seconds", "players": 5, "reminders": "1h"}
SUNKEN_KEEP = {
    "title": "The Sunken Keep, part two",
    "when": "in 2420 seconds",
    "players": 5,
    "reminders": "40m",
    "description": "Bring torches. The last party came back without theirs.",
}
OTHERS = (
    {"title": "One-shot: The Clockwork Orchard", "when": "tomorrow 3pm", "players": 4},
    {"title": "Board games and pizza", "when": "in 13 days 6pm"},
)
ANSWERS_WITHIN, REMINDED_WITHIN = 15.0, 60.0
PAGE_TIMEOUT = 30_000
"""Milliseconds."""
MARGIN = 8
NARROW: ViewportSize = {"width": 1000, "height": 1400}
WIDE: ViewportSize = {"width": 1280, "height": 1000}


async def main() -> None:
    """Take all pictures."""
    progress = Progress()
    async with sandbox_environment(report=progress.step) as running, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=["--disable-gpu"])
        await _take_pictures(running.discord, browser)
        await browser.close()
    progress.step(f"the pictures are in {PICTURES}")


async def _take_pictures(discord: SandboxDiscord, browser: Browser) -> None:
    await _run(discord, "Zoë", "settings me", where="dm")
    preview = await _preview(discord, "Mia", LIGHTHOUSE)
    page = await _open(discord, browser, "Mia")
    await _take(_message(page, preview), "game-preview")
    await _take_form(page)
    lighthouse = await _post(discord, "Mia", preview, LIGHTHOUSE)
    await _answer(discord, lighthouse, join=("Priya", "Tomás", "Aiko"), maybe=("Oskar",))
    await _take(_message(page, lighthouse), "announcement")
    await _take_reminders(discord, browser)
    await _take_list(discord, browser)
    await _take_channel(discord, browser)


async def _take_form(page: Page) -> None:
    composer = page.get_by_role("combobox", name="Message")
    await composer.fill("/game create")
    await composer.press("Enter")
    await page.get_by_role("button", name="Send").click()
    form = page.get_by_role("dialog", name="Plan a game")
    for label, value in (("Title", LIGHTHOUSE["title"]), ("When", LIGHTHOUSE["when"]), ("Players", "5")):
        await form.get_by_label(label).fill(str(value))
    await form.get_by_label("Description").fill("Bring:\n- a **lantern**\n- dice\n\nWe start at level 3.")
    await _take(form, "game-form")
    await form.get_by_role("button", name="Cancel").click()


async def _take_reminders(discord: SandboxDiscord, browser: Browser) -> None:
    """Picture a reminder in the channel and the same one by direct message, one above the other."""
    game = await _create(discord, "Mia", SALT_ROAD)
    await _answer(discord, game, join=("Aiko", "Ben", "Tomás", "Zoë"))
    in_channel = await _wait_for_reminder(discord, SALT_ROAD)
    by_dm = await discord.wait_for(lambda: next(iter(discord.dms("Zoë")), None), timeout=REMINDED_WITHIN)
    if by_dm is None:
        raise TimeoutError("no direct message")
    shots = []
    for user, message in (("Aiko", in_channel), ("Zoë", by_dm)):
        page = await _open(discord, browser, user, channel=str(message.channel.id))
        shots.append(await _shoot(_message(page, message)))
    page = await browser.new_page(viewport=NARROW, device_scale_factor=1)
    images = (f'<img src="data:image/png;base64,{base64.b64encode(shot).decode()}">' for shot in shots)
    await page.set_content(f'<div style="display: grid; gap: 12px; width: max-content">{"".join(images)}</div>')
    await page.locator("div").screenshot(path=PICTURES / "reminders.png")


async def _take_list(discord: SandboxDiscord, browser: Browser) -> None:
    for options in OTHERS:
        await _answer(discord, await _create(discord, "Jonas", options), join=("Ben", "Zoë", "Priya", "Oskar"))
    listed = await _run(discord, "Zoë", "game list")
    await _take(_message(await _open(discord, browser, "Zoë"), listed), "list-games")


async def _take_channel(discord: SandboxDiscord, browser: Browser) -> None:
    discord.say("Mia", "Part two tonight? The door in the crypt is still open 👀", where=CHANNEL)
    await _answer(discord, await _create(discord, "Mia", SUNKEN_KEEP), join=("Tomás", "Priya", "Aiko"))
    discord.say("Tomás", "I'm bringing the snacks 🍕", where=CHANNEL)
    reminder = await _wait_for_reminder(discord, SUNKEN_KEEP)
    page = await _open(discord, browser, "Priya", viewport=WIDE, scale=1)
    await expect(_message(page, reminder)).to_be_visible(timeout=PAGE_TIMEOUT)
    await page.screenshot(path=PICTURES / "channel.png")


async def _open(
    discord: SandboxDiscord,
    browser: Browser,
    user: str,
    *,
    channel: str = CHANNEL,
    viewport: ViewportSize = NARROW,
    scale: float = 1.25,
) -> Page:
    page = await browser.new_page(
        base_url=discord.url, viewport=viewport, device_scale_factor=scale, color_scheme="dark"
    )
    await page.goto(f"/?channel={channel}&user={user}")
    return page


def _message(page: Page, message: Message) -> Locator:
    return page.locator(f"#m{message.id}")


async def _take(shown: Locator, name: str) -> None:
    (PICTURES / f"{name}.png").write_bytes(await _shoot(shown))


async def _shoot(shown: Locator) -> bytes:
    """Return a picture of an element with some space around it."""
    await expect(shown).to_be_visible(timeout=PAGE_TIMEOUT)
    await shown.scroll_into_view_if_needed()
    box = await shown.bounding_box()
    if box is None:
        raise TimeoutError("the element is not on the page")
    clip: FloatRect = {
        "x": max(0.0, box["x"] - MARGIN),
        "y": max(0.0, box["y"] - MARGIN),
        "width": box["width"] + 2 * MARGIN,
        "height": box["height"] + 2 * MARGIN,
    }
    return await shown.page.screenshot(clip=clip, animations="disabled")


async def _run(discord: SandboxDiscord, user: str, command: str, **options: Any) -> Message:
    """Run a command, and return the answer when it is complete."""
    result = await (await discord.slash(user, command, in_channel=CHANNEL, **options)).done()
    if result.message is None:
        raise TimeoutError(f"no answer to /{command}")
    return result.message


async def _preview(discord: SandboxDiscord, host: str, options: dict[str, Any]) -> Message:
    return await _run(discord, host, "game create", **options)


async def _create(discord: SandboxDiscord, host: str, options: dict[str, Any]) -> Message:
    return await _post(discord, host, await _preview(discord, host, options), options)


async def _post(discord: SandboxDiscord, host: str, preview: Message, options: dict[str, Any]) -> Message:
    """Press "Post it", and return the announcement."""
    if not (post_it := button(preview, "draft-post")):
        raise ValueError(preview.content)
    await discord.click(host, preview.id, post_it)
    return await _wait_for(discord, ANSWERS_WITHIN, lambda it: bool(it.embeds) and options["title"] in str(it.embeds))


async def _answer(
    discord: SandboxDiscord, announcement: Message, *, join: tuple[str, ...], maybe: tuple[str, ...] = ()
) -> None:
    """Let players press a button each, and wait until the announcement shows all of them."""
    for name, players in (("join", join), ("maybe", maybe)):
        for player in players:
            await (await discord.click(player, announcement.id, button(announcement, name))).done()
    mentions = [f"<@{discord.world.user(player).id}>" for player in (*join, *maybe)]
    await discord.wait_for(
        lambda: all(mention in str(announcement.embeds) for mention in mentions), timeout=ANSWERS_WITHIN
    )


async def _wait_for_reminder(discord: SandboxDiscord, options: dict[str, Any]) -> Message:
    return await _wait_for(
        discord, REMINDED_WITHIN, lambda it: options["title"] in it.content and it.content.startswith("🔔")
    )


async def _wait_for(discord: SandboxDiscord, timeout: float, is_wanted: Any) -> Message:
    found = await discord.wait_for(
        lambda: next((it for it in discord.messages(CHANNEL) if is_wanted(it)), None), timeout=timeout
    )
    if found is None:
        raise TimeoutError("the message did not come")
    return found


if __name__ == "__main__":
    asyncio.run(main())
