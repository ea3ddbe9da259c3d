"""The page in a real browser: what a person does on it, and whether assistive technology can read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from sandbox.discord.server import SandboxDiscord
from sandbox.servers.tools import find_browser
from tests.unit.sandbox.discord.clients import Api, RawBot

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine, and none can be installed")

TEXT, SLASH, MODAL = 3, 1, 9
OPTIONS = [
    {"type": TEXT, "name": "title", "description": "What you play", "required": True},
    {
        "type": TEXT,
        "name": "length",
        "description": "How long",
        "choices": [{"name": name, "value": name} for name in ("An hour", "An evening", "A weekend")],
    },
]
COMMANDS = [
    {"type": SLASH, "name": "play", "description": "Plan a game", "options": OPTIONS},
    {"type": SLASH, "name": "plan", "description": "Fill in a form"},
]
ANNOUNCEMENT = {
    "embeds": [{"title": "A long night " + "x" * 240, "description": "**Scheduled** for <t:1900000000:F>"}],
    "components": [
        {"type": 1, "components": [{"type": 2, "style": 3, "custom_id": "join", "label": "Join"}]},
        {"type": 1, "components": [{"type": 2, "style": 4, "custom_id": "leave", "label": "Can't make it"}]},
    ],
}
FORM = {
    "title": "A new game",
    "custom_id": "form",
    "components": [
        {"type": 1, "components": [{"type": 4, "custom_id": "title", "label": "Title", "style": 1, "required": True}]}
    ],
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=["--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(
    browser: Browser, sandbox: SandboxDiscord, bot: RawBot, api: Api, game_night: int
) -> AsyncIterator[Page]:
    """The page of a server with a command, an announcement and a conversation."""
    application = sandbox.world.bot.id
    assert (await api("PUT", f"/applications/{application}/commands", COMMANDS)).status == 200
    assert (await api.send(game_night, "", **ANNOUNCEMENT)).status == 200
    sandbox.say("Ben", "See you on **Friday**, `nine` o'clock. > quoted", where="game-night")
    page = await browser.new_page(base_url=sandbox.url)
    await page.goto("/?channel=game-night&user=Mia")
    await expect(page.get_by_text("Join", exact=True)).to_be_visible()
    yield page
    await page.close()


def composer(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Message")


async def open_suggestions(page: Page, bot: RawBot, api: Api) -> None:
    await composer(page).fill("/pl")


async def open_options(page: Page, bot: RawBot, api: Api) -> None:
    await composer(page).fill("/play")
    await composer(page).press("Enter")
    await page.get_by_role("button", name="length").click()
    await expect(page.get_by_role("option", name="An hour")).to_be_visible()


async def open_faults(page: Page, bot: RawBot, api: Api) -> None:
    await page.get_by_role("button", name="Faults").click()
    await page.get_by_role("button", name="Discord is down").click()
    await expect(page.get_by_text("30 s left").first).to_be_visible()


async def open_users(page: Page, bot: RawBot, api: Api) -> None:
    await page.get_by_role("button", name="Switch").click()


async def open_form(page: Page, bot: RawBot, api: Api) -> None:
    await composer(page).fill("/plan")
    await composer(page).press("Enter")
    await page.get_by_role("button", name="Send").click()
    interaction = await bot.event("INTERACTION_CREATE")
    path = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
    assert (await api("POST", path, {"type": MODAL, "data": FORM})).status == 204
    await expect(page.get_by_role("dialog", name="A new game")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(page: Page, bot: RawBot, api: Api, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    problems = {"the channel": await serious_problems(page)}
    for act in (open_suggestions, open_options, open_users, open_form, open_faults):
        await page.reload()
        await act(page, bot, api)
        problems[act.__name__] = await serious_problems(page)
    assert not any(problems.values()), problems


async def serious_problems(page: Page) -> list[str]:
    violations = (await Axe().run(page)).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:90]} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical")
    ]


async def test_a_long_title_stays_inside_its_embed_on_a_phone(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    title = await page.locator(".embed-title").bounding_box()
    assert title is not None
    assert title["x"] + title["width"] <= 360


async def test_suggestions_are_chosen_with_the_keyboard(page: Page) -> None:
    await composer(page).fill("/pl")
    await expect(composer(page)).to_have_attribute("aria-expanded", "true")
    marked = page.locator(f"#{await composer(page).get_attribute('aria-activedescendant')}")
    await expect(marked).to_have_attribute("aria-selected", "true")
    first = await marked.text_content()
    await composer(page).press("ArrowDown")
    await expect(page.locator('[role="option"][aria-selected="true"]')).not_to_have_text(first or "")
    await composer(page).press("Escape")
    await expect(composer(page)).to_have_attribute("aria-expanded", "false")


async def test_escape_closes_panels_and_gives_the_focus_back(page: Page) -> None:
    for button, panel in (("Faults", ".faults"), ("Switch", ".user-menu")):
        opener = page.get_by_role("button", name=button)
        await opener.click()
        await expect(page.locator(panel)).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator(panel)).to_have_count(0)
        await expect(opener).to_be_focused()


async def test_escape_closes_a_form(page: Page, bot: RawBot, api: Api) -> None:
    await open_form(page, bot, api)
    await expect(page.get_by_role("textbox", name="Title")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_an_error_vanishes_once_its_cause_is_mended(page: Page) -> None:
    await composer(page).fill("/play")
    await composer(page).press("Enter")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("alert")).to_have_text("Enter the title. This option is required.")
    await page.get_by_role("combobox", name="title").fill("The Sunken Keep")
    await expect(page.get_by_role("alert")).to_have_text("")


async def test_older_messages_are_loaded_when_the_list_is_scrolled_up(page: Page, sandbox: SandboxDiscord) -> None:
    for number in range(250):
        sandbox.say("Ben", f"message {number}", where="game-night")
    await page.reload()
    await expect(page.get_by_text("message 249", exact=True)).to_be_visible()
    assert await page.get_by_text("message 0", exact=True).count() == 0
    await page.get_by_role("log", name="Messages").focus()
    for oldest in ("message 149", "message 49", "message 0"):
        await page.keyboard.press("Home")
        await expect(page.get_by_text(oldest, exact=True)).to_be_attached()
    await expect(page.get_by_text("message 0", exact=True)).to_have_count(1)
    await expect(page.get_by_text("Welcome to #game-night")).to_have_count(1)


async def test_a_link_to_a_message_jumps_to_it_however_old_it_is(
    page: Page, sandbox: SandboxDiscord, api: Api, game_night: int
) -> None:
    [announcement] = [message for message in sandbox.messages("game-night") if message.embeds]
    for number in range(250):
        sandbox.say("Ben", f"message {number}", where="game-night")
    guild = announcement.channel.guild_id
    link = f"https://discord.com/channels/{guild}/{game_night}/{announcement.id}"
    await api.send(game_night, f"It was moved: {link}")
    await page.reload()
    await page.get_by_role("button", name=re.compile("#game-night .*💬")).click()
    await expect(page.locator(f"#m{announcement.id}")).to_be_in_viewport()
