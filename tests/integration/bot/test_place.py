"""Where a game is played, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

import pytest

from sandbox.discord.server import SandboxDiscord
from tests.integration.bot.conftest import press_button, reply_text
from tests.integration.bot.test_commands import CHANNEL, HOST, MANAGER, create, only_game, plan_game
from tests.integration.bot.test_drafts import preview
from tests.integration.bot.test_editing import edit
from tests.integration.bot.test_templates import save
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")

VOICE = "<#1234567890123456789>"


def place_of(embed: dict[str, list[dict[str, str]]]) -> str | None:
    return next((field["value"] for field in embed["fields"] if field["name"] == "Place"), None)


async def test_the_host_chooses_it_and_the_preview_and_the_game_show_it(
    sandbox: SandboxDiscord, database: Database
) -> None:
    shown = await preview(sandbox, place=VOICE)
    assert shown.message is not None
    assert place_of(shown.message.embeds[0]) == VOICE
    await reply_text(press_button(sandbox, HOST, shown, "Post it"))
    game = await only_game(database)
    assert game.place == VOICE
    details = await (await sandbox.slash(HOST, "game show", game=str(game.id))).done()
    assert details.message is not None
    assert place_of(details.message.embeds[0]) == VOICE


@pytest.mark.parametrize(
    ("entered", "shown"),
    [
        ("The *old* library", r"The \*old\* library"),
        (f"{VOICE} or @everyone", r"\<#1234567890123456789"),
        ("<@42>", r"\<@"),
    ],
)
async def test_every_other_text_is_escaped(
    sandbox: SandboxDiscord, database: Database, entered: str, shown: str
) -> None:
    result = await preview(sandbox, place=entered)
    assert result.message is not None
    place = place_of(result.message.embeds[0])
    assert place is not None and place.startswith(shown) and "@everyone" not in place


async def test_a_change_of_it_refreshes_the_announcement_and_the_history_says_so(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_game(database, sandbox, place="Library")
    assert "is changed" in await edit(sandbox, game, place=VOICE)
    changed = await only_game(database)
    assert (changed.place, changed.revision, changed.version) == (VOICE, game.revision + 1, game.version)
    assert "from Library to" in await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
    assert "is changed" in await edit(sandbox, game, place="none")
    assert (await only_game(database)).place == ""


async def test_a_place_that_cannot_be_seen_is_refused(sandbox: SandboxDiscord) -> None:
    assert "The place has no visible text" in await reply_text(create(sandbox, place="\u3164"))
    assert sandbox.messages(CHANNEL) == []


async def test_a_template_and_a_copy_have_it(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, place=VOICE)
    await save(sandbox, game, who=MANAGER)
    from_template = await preview(sandbox, template="Weekly")
    copy = await (await sandbox.slash(HOST, "game clone", game=str(game.id), when="in 72 hours")).done()
    for result in (from_template, copy):
        assert result.message is not None
        assert place_of(result.message.embeds[0]) == VOICE
