"""The pictures of docs/, taken from the sandbox's page while Questbell runs: `python -m tests.support.pictures`.

They show what the bot sent in a game night that this module plays, so that one command renews all of them.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from sandbox.demo.environment import sandbox_environment
from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import Message, walk_components
from sandbox.servers.tools import find_browser
from shared.errors import ConfigurationError

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CHANNEL = "game-night"
HOST = "Mia"
ZONE = "Europe/Berlin"
_RESPONDS_WITHIN = 30.0
_REMINDED_WITHIN = 120.0
_MESSAGES = {"width": 812, "height": 1400}
"""The page with room for three fields of an embed beside each other."""
_DESKTOP = {"width": 1280, "height": 960}
_FORMS = {"width": 430, "height": 1000}
_SCALE = 1.5


class GameNight:
    """The people who use the bot, and the camera that takes pictures of what they see."""

    def __init__(self, discord: SandboxDiscord, browser: Browser) -> None:
        self._discord = discord
        self._browser = browser

    async def command(self, user: str, name: str, **options: Any) -> InteractionResult:
        """Run a command, and wait for its answer."""
        result = await self._discord.slash(user, name, in_channel=CHANNEL, **options)
        return await self._wait_for_answer(result)

    async def press(self, user: str, message: Message, label: str) -> InteractionResult:
        """Press a button of a message, and wait for the answer."""
        [button] = [part for part in walk_components(message.components) if part.get("label") == label]
        return await self._wait_for_answer(await self._discord.click(user, message.id, button["custom_id"]))

    async def choose(self, user: str, message: Message, slot: str) -> None:
        """Choose a slot in the menu of an announcement, and wait until it shows the user."""
        [menu] = [part for part in walk_components(message.components) if "options" in part]
        await self._wait_for_answer(await self._discord.click(user, message.id, menu["custom_id"], values=[slot]))
        await self.wait_for(lambda: self._mention(user) in str(message.embeds))

    async def join(self, message: Message, *users: str) -> None:
        """Let users press Join, and wait until the announcement shows them."""
        for user in users:
            await self.press(user, message, "Join")
        await self.wait_for(lambda: all(self._mention(user) in str(message.embeds) for user in users))

    async def plan(self, user: str, **options: Any) -> Message:
        """Plan a game, post it from its preview, and return the announcement."""
        preview = (await self.command(user, "game create", **options)).message
        assert preview is not None
        await self.press(user, preview, "Post it")
        return await self.find(f"🎲 {options['title']}")

    def say(self, user: str, text: str) -> None:
        """Write a message."""
        self._discord.say(user, text, where=CHANNEL)

    async def find(self, text: str, *, dm: str | None = None, within: float = _RESPONDS_WITHIN) -> Message:
        """Wait for the newest message with a text, in the channel or in a user's direct messages."""

        def search() -> Message | None:
            messages = self._discord.messages(CHANNEL) if dm is None else self._discord.dms(dm)
            return next((it for it in reversed(messages) if text in f"{it.content} {it.embeds}"), None)

        found = await self._discord.wait_for(search, timeout=within)
        assert found is not None
        return found

    async def wait_for(self, predicate: Any) -> None:
        """Wait until something is so."""
        await self._discord.wait_for(predicate, timeout=_RESPONDS_WITHIN)

    async def open_page(self, user: str, *, size: Any, scale: float = _SCALE, channel: str = CHANNEL) -> Page:
        """Open the page as a user. The caller closes it."""
        context = await self._browser.new_context(
            base_url=self._discord.url,
            viewport=size,
            device_scale_factor=scale,
            color_scheme="dark",
            locale="en-US",
            timezone_id=ZONE,
            reduced_motion="reduce",
        )
        page = await context.new_page()
        await page.goto(f"/?channel={channel}&user={user}")
        await page.get_by_role("combobox", name="Message").wait_for()
        return page

    async def photograph(self, user: str, *messages: Message) -> bytes:
        """Return a picture of messages as a user sees them, one below the other."""
        return await self.stack([await self._photograph(user, message) for message in messages])

    async def _photograph(self, user: str, message: Message) -> bytes:
        channel = message.channel
        page = await self.open_page(user, size=_MESSAGES, channel=str(channel.id) if channel.recipient else CHANNEL)
        shown = page.locator(f"#m{message.id}")
        await shown.wait_for()
        picture = await shown.screenshot()
        await page.context.close()
        return picture

    async def stack(self, pictures: list[bytes]) -> bytes:
        """Return pictures as one, with a gap between them."""
        if len(pictures) == 1:
            return pictures[0]
        page = await self._browser.new_page(device_scale_factor=_SCALE)
        sources = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures]
        images = "".join(f'<img src="{source}" style="zoom: {1 / _SCALE}">' for source in sources)
        await page.set_content(f'<div style="display: inline-flex; flex-direction: column; gap: 10px">{images}</div>')
        stacked = await page.locator("div").screenshot()
        await page.close()
        return stacked

    def _mention(self, user: str) -> str:
        return f"<@{self._discord.world.user(user).id}>"

    async def _wait_for_answer(self, result: InteractionResult) -> InteractionResult:
        assert result.answered, "the bot did not answer"
        await self.wait_for(lambda: result.message is None or not result.message.loading)
        return result


async def photograph_channel(night: GameNight) -> None:
    """The whole page with a game, its players and a reminder."""
    night.say("Priya", "Part two tonight? The door in the crypt is still open 👀")
    post = await night.plan(
        HOST,
        title="The Sunken Keep, part two",
        when="in 3605 seconds",
        players=5,
        reminders="1h, 0",
        description="Bring torches. The last party came back without theirs.",
    )
    await night.join(post, "Tomás", "Priya", "Aiko")
    night.say("Tomás", "I'm bringing the snacks 🍕")
    await night.find("🔔 **The Sunken Keep, part two**", within=_REMINDED_WITHIN)
    page = await night.open_page("Priya", size=_DESKTOP, scale=1)
    await page.get_by_text("starts in 1 hour").wait_for()
    save("channel", await page.screenshot())
    await page.context.close()


async def photograph_planning(night: GameNight) -> None:
    """The form of a game, its preview, and the form of its sign-ups."""
    page = await night.open_page(HOST, size=_FORMS)
    message = page.get_by_role("combobox", name="Message")
    await message.fill("/game create")
    await message.press("Enter")
    await page.get_by_role("button", name="Send").click()
    form = page.get_by_role("dialog", name="Plan a game").locator("form")
    for label, text in (
        ("Title", "The Lighthouse at Grey Harbor"),
        ("When", "friday 8pm"),
        ("Description", "Bring a **lantern**.\nWe start at level 3."),
    ):
        await form.get_by_label(label).fill(text)
    save("game-form", await form.screenshot())
    await page.context.close()
    planned = await night.command(
        HOST,
        "game create",
        title="The Lighthouse at Grey Harbor",
        when="friday 8pm",
        description="Bring a **lantern**.",
        slots="1 🎲 GM, 2 🛡️ Tank, 2 ✨ Healer",
        place="Library, table 3",
        closes="2h",
        offer="12h",
        minimum=3,
        repeat="every friday",
    )
    preview = planned.message
    assert preview is not None
    save("game-preview", await night.photograph(HOST, preview))
    page = await night.open_page(HOST, size=_FORMS)
    await page.locator(f"#m{preview.id}").get_by_role("button", name="Sign-ups").click()
    await page.mouse.move(0, 0)
    save("sign-ups-form", await page.get_by_role("dialog", name="Sign-ups").locator("form").screenshot())
    await page.context.close()
    await night.press(HOST, preview, "Post it")


async def photograph_answers(night: GameNight) -> None:
    """An announcement with slots and a waitlist, the offer of a seat, and the promotion of who need not take it."""
    post = await night.find("🎲 The Lighthouse at Grey Harbor")
    for user, slot in (
        (HOST, "GM"),
        ("Jonas", "Tank"),
        ("Priya", "Tank"),
        ("Tomás", "Healer"),
        ("Ben", "Tank"),
        ("Zoë", "Tank"),
    ):
        await night.choose(user, post, slot)
    await night.press("Oskar", post, "Maybe")
    await night.press("Aiko", post, "Can't")
    await night.wait_for(lambda: "Maybe 1" in str(post.embeds) and "Can't 1" in str(post.embeds))
    save("announcement", await night.photograph("Ben", post))
    await night.press("Jonas", post, "Can't")
    offer = await night.find("A seat is free, and you can have it")
    other = await night.plan(HOST, title="Goblins at the Wedding", when="saturday 8pm", players=2)
    await night.join(other, "Priya", "Aiko", "Ben")
    await night.press("Priya", other, "Can't")
    promotion = await night.find("A seat is free, and it's yours: **Goblins")
    save("promotion", await night.photograph("Ben", offer, promotion))


async def photograph_reminders(night: GameNight) -> None:
    """A reminder in the channel and by direct message, with the buttons that snooze it."""
    await night.command("Zoë", "settings me", where="dm")
    post = await night.plan(
        HOST, title="The Salt Road, chapter four", when="in 7205 seconds", players=5, reminders="2h"
    )
    await night.join(post, "Aiko", "Ben", "Tomás", "Zoë")
    in_channel = await night.find("🔔 **The Salt Road", within=_REMINDED_WITHIN)
    by_dm = await night.find("🔔 **The Salt Road", dm="Zoë", within=_REMINDED_WITHIN)
    pictures = [await night.photograph("Aiko", in_channel), await night.photograph("Zoë", by_dm)]
    save("reminders", await night.stack(pictures))


async def photograph_lists(night: GameNight) -> None:
    """The lists of games and of series."""
    for command, picture in (("game list", "list-games"), ("series list", "series-list")):
        answer = (await night.command("Priya", command)).message
        assert answer is not None
        save(picture, await night.photograph("Priya", answer))


def save(name: str, picture: bytes) -> None:
    """Write a picture, and say so."""
    (IMAGES / f"{name}.png").write_bytes(picture)
    print(f"docs/images/{name}.png")


async def main() -> None:
    """Play the game night and take all pictures."""
    if find_browser() is None:
        raise ConfigurationError("there is no Chromium on this machine")
    async with sandbox_environment(report=print) as running, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=["--disable-gpu"])
        night = GameNight(running.discord, browser)
        await night.command(HOST, "settings server", zone=ZONE)
        for scene in (
            photograph_channel,
            photograph_planning,
            photograph_answers,
            photograph_reminders,
            photograph_lists,
        ):
            await scene(night)
        await browser.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
