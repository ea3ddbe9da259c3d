"""The proof that matters: an unmodified discord.py client, from login to a resumed session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands

from sandbox.discord.faults.model import (
    Drop,
    DropGateway,
    DuplicateInteraction,
    InvalidSession,
    Match,
    Reconnect,
    Refuse,
    Status,
    TooMany,
)
from sandbox.discord.rate_limits import Window
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT

MESSAGES = Match(method="POST", route="/messages$")


class SignUp(discord.ui.View):
    """A card with a button that edits it."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Join", custom_id="join", style=discord.ButtonStyle.success)
    async def join(self, interaction: discord.Interaction[Any], button: discord.ui.Button[SignUp]) -> None:
        await interaction.response.edit_message(content=f"{interaction.user.display_name} is in")

    @discord.ui.button(label="Note", custom_id="note")
    async def note(self, interaction: discord.Interaction[Any], button: discord.ui.Button[SignUp]) -> None:
        await interaction.response.send_modal(Note())


class Note(discord.ui.Modal, title="A note"):
    """A modal that answers with what was written."""

    text: discord.ui.TextInput[Note] = discord.ui.TextInput(label="Text", max_length=50)

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"Noted: {self.text.value}", ephemeral=True)


@app_commands.command(description="Plan a session")
@app_commands.describe(title="What", seats="How many", host="Who")
async def plan(
    interaction: discord.Interaction[Any],
    title: str,
    seats: app_commands.Range[int, 1, 9] = 4,
    host: discord.Member | None = None,
) -> None:
    """Answer with a card."""
    embed = discord.Embed(title=title, description=f"{seats} seats, {host.mention if host else 'no host'}")
    await interaction.response.send_message("New session", embed=embed, view=SignUp())


@app_commands.command(description="Answer later")
async def slowly(interaction: discord.Interaction[Any]) -> None:
    """Defer, then fill in and follow up."""
    await interaction.response.defer(ephemeral=True)
    await interaction.edit_original_response(content="done")
    await interaction.followup.send("and more", ephemeral=True)


class Bot(discord.Client):
    """A small bot with commands."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.default(), guild_ready_timeout=0.05)
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(plan)
        self.tree.add_command(slowly)
        self.heard: list[str] = []
        self.failed: list[int] = []

    async def setup_hook(self) -> None:
        self.add_view(SignUp())
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify at once; discord.py would wait five seconds before it does so again."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message.content)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        raise


@pytest.fixture
async def client(sandbox: SandboxDiscord, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setattr(discord.http.Route, "BASE", f"{sandbox.url}/api/v10")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url))
    bot = Bot()
    running = asyncio.create_task(bot.start(sandbox.token))
    await sandbox.wait_for(lambda: sandbox.gateway.online or running.done(), timeout=WAIT_TIMEOUT)
    async with asyncio.timeout(WAIT_TIMEOUT):
        await bot.wait_until_ready()
    yield bot
    await bot.close()
    await running
    assert sandbox.unimplemented == []


@pytest.fixture
def room(client: Bot, game_night: int) -> discord.TextChannel:
    channel = client.get_channel(game_night)
    assert isinstance(channel, discord.TextChannel)
    return channel


async def test_the_bot_knows_its_guild_and_registers_its_commands(client: Bot, sandbox: SandboxDiscord) -> None:
    assert [guild.name for guild in client.guilds] == ["Lantern Keep"]
    assert [leaf.name for leaf in sandbox.engine.invoker.commands("Mia", "game-night")] == ["plan", "slowly"]
    assert (await client.application_info()).name == "Questbell"


async def test_a_command_is_answered_and_its_button_edits_the_answer(client: Bot, sandbox: SandboxDiscord) -> None:
    planned = await sandbox.slash("Mia", "plan", title="Dragons", seats=5, host="Jonas")
    assert planned.message is not None
    assert planned.message.embeds[0]["description"] == f"5 seats, <@{sandbox.world.user('Jonas').id}>"
    joined = await sandbox.click("Ben", planned.message.id, "join")
    assert (joined.content, joined.message) == ("Ben is in", planned.message)


async def test_a_deferred_answer_is_filled_in_and_followed_up(client: Bot, sandbox: SandboxDiscord) -> None:
    result = await sandbox.slash("Mia", "slowly")
    assert result.ephemeral
    await sandbox.wait_for(lambda: result.followups, timeout=WAIT_TIMEOUT)
    assert (result.content, result.followups[0].content) == ("done", "and more")


async def test_a_modal_is_opened_submitted_and_answered(client: Bot, sandbox: SandboxDiscord) -> None:
    card = await sandbox.slash("Mia", "plan", title="Dragons")
    assert card.message is not None
    opened = await sandbox.click("Ben", card.message.id, "note")
    assert opened.modal is not None
    [row] = opened.modal["components"]
    noted = await sandbox.submit_modal("Ben", opened, {row["components"][0]["custom_id"]: "bring dice"})
    assert noted.content == "Noted: bring dice"


async def test_a_nonce_makes_a_second_send_harmless(room: discord.TextChannel, sandbox: SandboxDiscord) -> None:
    first = await room.send("once", nonce="n1")
    second = await room.send("once", nonce="n1")
    assert first.id == second.id
    assert len(sandbox.messages("game-night")) == 1


async def test_messages_are_read_back_edited_and_deleted(client: Bot, room: discord.TextChannel) -> None:
    message = await room.send("old", allowed_mentions=discord.AllowedMentions.none())
    await message.edit(content="new")
    assert [found.content async for found in room.history(limit=5)] == ["new"]
    await message.delete()
    with pytest.raises(discord.NotFound):
        await room.fetch_message(message.id)


async def test_direct_messages_arrive_unless_they_are_closed(client: Bot, sandbox: SandboxDiscord) -> None:
    priya = await client.fetch_user(sandbox.world.user("Priya").id)
    await priya.send("psst")
    assert [message.content for message in sandbox.dms("Priya")] == ["psst"]
    sandbox.world.close_dms("Priya")
    with pytest.raises(discord.Forbidden) as refused:
        await priya.send("psst")
    assert refused.value.code == 50007


async def test_the_client_obeys_a_rate_limit(room: discord.TextChannel, sandbox: SandboxDiscord) -> None:
    sandbox.limits.create_message = Window(2, 0.2)
    await asyncio.gather(*(room.send(f"m{number}") for number in range(5)))
    assert len(sandbox.messages("game-night")) == 5


async def test_the_client_waits_out_a_429_only_with_via(room: discord.TextChannel, sandbox: SandboxDiscord) -> None:
    waited = sandbox.faults.add(TooMany(0.05), MESSAGES, times=1)
    await room.send("patient")
    assert waited.fired == 1
    sandbox.faults.add(TooMany(0.05, via=False), MESSAGES, times=1)
    with pytest.raises(discord.HTTPException) as banned:
        await room.send("banned")
    assert banned.value.status == 429


async def test_a_503_and_error_codes_are_raised_immediately(room: discord.TextChannel, sandbox: SandboxDiscord) -> None:
    sandbox.faults.add(Status(503, accepted=True), MESSAGES, times=1)
    with pytest.raises(discord.DiscordServerError):
        await room.send("sent all the same", nonce="n2")
    assert [message.content for message in sandbox.messages("game-night")] == ["sent all the same"]
    sandbox.faults.add(Refuse(50001), MESSAGES, times=1)
    with pytest.raises(discord.Forbidden):
        await room.send("no")


async def test_a_lost_response_and_the_same_nonce_create_one_message(
    room: discord.TextChannel, sandbox: SandboxDiscord
) -> None:
    sandbox.faults.add(Drop(accepted=True), MESSAGES, times=1)
    with pytest.raises(OSError):
        await room.send("once", nonce="n3")
    await room.send("once", nonce="n3")
    assert [record.returned_earlier for record in sandbox.evidence] == [False, True]


@pytest.mark.parametrize("action", [Reconnect(), DropGateway(), InvalidSession(resumable=True)])
async def test_a_lost_connection_is_resumed_and_nothing_is_missed(
    client: Bot, sandbox: SandboxDiscord, action: Reconnect | DropGateway | InvalidSession
) -> None:
    resumed = asyncio.ensure_future(client.wait_for("resumed", timeout=WAIT_TIMEOUT))
    await asyncio.sleep(0)
    sandbox.faults.add(action)
    await sandbox.wait_for(lambda: not sandbox.gateway.online, timeout=WAIT_TIMEOUT)
    sandbox.say("Mia", f"<@{sandbox.world.bot.id}> are you there?")
    await resumed
    assert client.heard == [f"<@{sandbox.world.bot.id}> are you there?"]
    assert sandbox.gateway.starts_left == 999


async def test_an_invalid_session_is_replaced_by_a_new_one(client: Bot, sandbox: SandboxDiscord) -> None:
    ready = asyncio.ensure_future(client.wait_for("ready", timeout=WAIT_TIMEOUT))
    await asyncio.sleep(0)
    sandbox.faults.add(InvalidSession())
    await ready
    assert sandbox.gateway.starts_left == 998
    assert (await sandbox.slash("Mia", "plan", title="Dragons")).answered


async def test_an_interaction_that_arrives_twice_is_answered_once(client: Bot, sandbox: SandboxDiscord) -> None:
    refused: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @client.tree.error
    async def on_error(interaction: discord.Interaction[Any], error: app_commands.AppCommandError) -> None:
        refused.set_result(error)

    sandbox.faults.add(DuplicateInteraction(), times=1)
    await sandbox.slash("Mia", "plan", title="Dragons")
    async with asyncio.timeout(WAIT_TIMEOUT):
        error = await refused
    assert isinstance(error, app_commands.CommandInvokeError)
    assert isinstance(error.original, discord.HTTPException)
    assert error.original.code == 40060
    assert len(sandbox.messages("game-night")) == 1
