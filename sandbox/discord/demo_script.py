"""The main job, played as people would: a session is made by a slash command, players press Join, and time does the
rest.

The same play serves the demo and the check. It looks only at Discord, as people do.
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
ANSWERED_WITHIN = 15.0
"""Seconds until an answer or an announcement must be there; some for the bot to log in."""


class PlayError(QuestbellError):
    """The play could not go on: somebody was not answered, or was refused."""


@dataclass(frozen=True)
class Session:
    """What a host types, and who joins. `offsets` are the reminders' minutes before the start."""

    host: str
    title: str
    description: str
    players: tuple[str, ...]
    offsets: tuple[int, ...]
    lasts: timedelta


SESSIONS = (
    Session(
        host="Mia",
        title="The Sunken Keep",
        description="Bring torches. The last party came back without theirs.",
        players=("Jonas", "Priya", "Tomás"),
        offsets=(1, 0),
        lasts=timedelta(seconds=10),
    ),
    Session(
        host="Aiko",
        title="One-shot: Goblins at the Wedding",
        description="New players welcome, characters are provided.",
        players=("Mia", "Ben", "Priya"),
        offsets=(1,),
        lasts=timedelta(seconds=10),
    ),
)


async def make(discord: SandboxDiscord, session: Session) -> Message:
    """Make a session by the slash command and return its announcement.

    Raises:
        PlayError: the bot did not answer, refused, or posted nothing.
    """
    answer = await discord.slash(
        session.host,
        "game create",
        in_channel=CHANNEL,
        title=session.title,
        when=f"in {STARTS_IN.seconds} seconds",
        duration=f"{session.lasts.seconds}s",
        players=5,
        reminders=", ".join(f"{offset}m" for offset in session.offsets),
        description=session.description,
    )
    await _answered(discord, answer)
    with suppress(TimeoutError):
        await discord.wait_for(lambda: announcement(discord, session) is not None, timeout=ANSWERED_WITHIN)
    post = announcement(discord, session)
    if post is None:
        raise PlayError(f"no announcement of {session.title!r}; the bot said: {answer.content}")
    return post


async def join(discord: SandboxDiscord, post: Message, players: Sequence[str]) -> None:
    """Let players press Join, and wait until the announcement shows them all.

    Raises:
        PlayError: somebody was not answered, or does not appear.
    """
    for player in players:
        await _answered(discord, await discord.click(player, post.id, button(post, "join")))
    wanted = [f"<@{discord.world.user(player).id}>" for player in players]
    try:
        await discord.wait_for(lambda: all(name in str(post.embeds) for name in wanted), timeout=ANSWERED_WITHIN)
    except TimeoutError as error:
        raise PlayError(f"the announcement shows {post.embeds}, not all of {players}") from error


def announcement(discord: SandboxDiscord, session: Session) -> Message | None:
    """Return the announcement of a session, once it is there."""
    posts = (message for message in discord.messages(CHANNEL) if message.embeds and button(message, "join"))
    return next((post for post in posts if session.title in str(post.embeds[0].get("title"))), None)


def button(message: Message, name: str) -> str:
    """Return the custom id of a button, or "" when the message has none such."""
    rows = (part for row in message.components for part in row.get("components", []))
    return next((part["custom_id"] for part in rows if part.get("custom_id", "").startswith(f"questbell:{name}:")), "")


async def _answered(discord: SandboxDiscord, result: InteractionResult) -> None:
    if not result.answered:
        raise PlayError("the application did not respond within 3 seconds")
    await discord.wait_for(lambda: result.message is None or not result.message.loading, timeout=ANSWERED_WITHIN)
