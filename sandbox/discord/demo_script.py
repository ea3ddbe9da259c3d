"""The demo's games: a host runs a slash command, players press Join, and the reminders follow.

The same script serves the demo and its check. It sees only Discord, as people do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import Message
from shared.errors import QuestbellError

CHANNEL = "game-night"
STARTS_IN = timedelta(seconds=65)
"""The first reminder, a minute before the start, is due seconds after the players joined."""
RESPONDS_WITHIN = 15.0
"""Seconds until a response or an announcement must be there; some of them for the bot to log in."""


class DemoScriptError(QuestbellError):
    """The script cannot go on: the bot did not respond, or refused."""


@dataclass(frozen=True)
class DemoGame:
    """A game as the host types it, and what its players do. `offsets` are the reminders' minutes before the start.

    The players press Join in turn. Those in `leaving` press Can't afterwards, which gives their seats to who waits.
    """

    host: str
    title: str
    description: str
    players: tuple[str, ...]
    offsets: tuple[int, ...]
    duration: timedelta
    seats: int = 5
    leaving: tuple[str, ...] = ()
    repeat: str | None = None


DEMO_GAMES = (
    DemoGame(
        host="Mia",
        title="The Sunken Keep",
        description="Bring torches. The last party came back without theirs.",
        players=("Jonas", "Priya", "Tomás"),
        offsets=(1, 0),
        duration=timedelta(seconds=10),
    ),
    DemoGame(
        host="Aiko",
        title="One-shot: Goblins at the Wedding",
        description="New players welcome, characters are provided.",
        players=("Mia", "Ben", "Priya"),
        offsets=(1,),
        duration=timedelta(seconds=10),
        seats=2,
        leaving=("Mia",),
        repeat="every week",
    ),
)


async def create_game(discord: SandboxDiscord, game: DemoGame) -> Message:
    """Create a game with the slash command, post it from its preview, and return its announcement.

    Raises:
        DemoScriptError: the bot did not respond, refused, or posted nothing.
    """
    repeat = {} if game.repeat is None else {"repeat": game.repeat}
    result = await discord.slash(
        game.host,
        "game create",
        in_channel=CHANNEL,
        title=game.title,
        when=f"in {STARTS_IN.seconds} seconds",
        duration=f"{game.duration.seconds}s",
        players=game.seats,
        reminders=", ".join(f"{offset}m" for offset in game.offsets),
        description=game.description,
        **repeat,
    )
    await _wait_for_response(discord, result)
    preview = result.message
    if preview is None or not (post_it := button(preview, "draft-post")):
        raise DemoScriptError(f"no preview of {game.title!r}; the bot responded: {result.content}")
    await _wait_for_response(discord, await discord.click(game.host, preview.id, post_it))
    with suppress(TimeoutError):
        await discord.wait_for(lambda: announcement(discord, game) is not None, timeout=RESPONDS_WITHIN)
    post = announcement(discord, game)
    if post is None:
        raise DemoScriptError(f"no announcement of {game.title!r}; the bot responded: {result.content}")
    return post


async def answer_game(discord: SandboxDiscord, post: Message, game: DemoGame) -> None:
    """Let the players of a game answer it.

    Raises:
        DemoScriptError: the bot did not respond to a player, or the announcement does not show what they answered.
    """
    await _press(discord, post, "join", game.players)
    for player in game.leaving:
        await _wait_for_response(discord, await discord.click(player, post.id, button(post, "leave")))


async def _press(discord: SandboxDiscord, post: Message, name: str, players: Sequence[str]) -> None:
    """Let players press a button, and wait until the announcement shows all of them."""
    for player in players:
        await _wait_for_response(discord, await discord.click(player, post.id, button(post, name)))
    mentions = [f"<@{discord.world.user(player).id}>" for player in players]
    try:
        await discord.wait_for(
            lambda: all(mention in str(post.embeds) for mention in mentions), timeout=RESPONDS_WITHIN
        )
    except TimeoutError as error:
        raise DemoScriptError(f"the announcement shows {post.embeds}, not all of {players}") from error


def announcement(discord: SandboxDiscord, game: DemoGame) -> Message | None:
    """Return the announcement of a game, None before it is posted."""
    posts = (message for message in discord.messages(CHANNEL) if message.embeds and button(message, "join"))
    return next((post for post in posts if game.title in str(post.embeds[0].get("title"))), None)


def button(message: Message, name: str) -> str:
    """Return the custom id of a button, "" when the message has no such button."""
    parts = (part for row in message.components for part in row.get("components", []))
    return next((part["custom_id"] for part in parts if part.get("custom_id", "").startswith(f"questbell:{name}:")), "")


async def _wait_for_response(discord: SandboxDiscord, result: InteractionResult) -> None:
    if not result.answered:
        raise DemoScriptError("the application did not respond within 3 seconds")
    await discord.wait_for(lambda: result.message is None or not result.message.loading, timeout=RESPONDS_WITHIN)
