"""What the sandbox Discord accepted, as the judge reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from shared.discord.ids import delivery_id_of
from tests.chaos.facts import Told


def made(discord: SandboxDiscord) -> list[Told]:
    """Return every message of the bot that others see, oldest first; a nonce that was answered with an earlier one made
    nothing."""
    return [_told(record) for record in _public(discord) if record.kind == "create" and not record.returned_earlier]


def shown(discord: SandboxDiscord) -> dict[int, str]:
    """Return the text of each message as it stands now."""
    return {record.message_id: _text(record) for record in _public(discord)}


def _public(discord: SandboxDiscord) -> list[Accepted]:
    bot = discord.world.bot.id
    return [record for record in discord.evidence if record.author_id == bot and record.visible_to is None]


def _told(record: Accepted) -> Told:
    return Told(
        at=datetime.fromtimestamp(record.wall, UTC),
        message_id=record.message_id,
        delivery_id=delivery_id_of(str(record.nonce)),
        text=_text(record),
        pings=frozenset(record.pinged_users),
        channel_id=record.channel_id,
        to=record.recipient_id,
    )


def _text(record: Accepted) -> str:
    return record.content + (json.dumps(record.embeds, ensure_ascii=False) if record.embeds else "")
