"""The record of everything that the sandbox accepted.

Whether a reminder was lost or sent twice is decided by this record alone: not by what a client believes, and not by
what the channel shows later, because messages are edited and deleted. Therefore the record only grows and holds copies.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sandbox.discord.world.messages import Message, Pings

Json = dict[str, Any]
Kind = Literal["create", "edit", "delete"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """One request that Discord accepted, or one action of a user.

    Attributes:
        number: 1, 2, 3 …: the order of acceptance.
        kind: `create`, `edit` or `delete`.
        monotonic: seconds, comparable with `time.monotonic()` on this machine.
        wall: Unix seconds.
        recipient_id: the user, if it is a direct message.
        pinged_users, pinged_roles, pings_everyone: who is notified, after `allowed_mentions`. An edit notifies nobody,
            not even that of a deferred answer. Source: https://github.com/discord/discord-api-docs/issues/5497
        returned_earlier: `enforce_nonce` found an earlier message, which was returned; no message was created.
        visible_to: the one user who sees it, if it is ephemeral.
    """

    number: int
    kind: Kind
    monotonic: float
    wall: float
    message_id: int
    channel_id: int
    guild_id: int | None
    author_id: int
    author: str
    recipient_id: int | None
    recipient: str | None
    content: str
    embeds: list[Json]
    components: list[Json]
    pinged_users: tuple[int, ...]
    pinged_roles: tuple[int, ...]
    pings_everyone: bool
    nonce: str | int | None
    returned_earlier: bool
    visible_to: int | None

    def to_json(self) -> Json:
        """The record as JSON; ids are strings, as everywhere in Discord's JSON."""
        record = asdict(self)
        for name in ("message_id", "channel_id", "guild_id", "author_id", "recipient_id", "visible_to"):
            record[name] = None if record[name] is None else str(record[name])
        record["pinged_users"] = [str(user) for user in self.pinged_users]
        record["pinged_roles"] = [str(role) for role in self.pinged_roles]
        return record


class Evidence:
    """The append-only list of what was accepted."""

    def __init__(self) -> None:
        self.records: list[Accepted] = []

    def record(
        self, kind: Kind, message: Message, *, monotonic: float, wall: float, returned_earlier: bool = False
    ) -> None:
        """Record `message` as it is now."""
        recipient = message.channel.recipient
        pings = message.pings if kind == "create" else Pings()
        self.records.append(
            Accepted(
                number=len(self.records) + 1,
                kind=kind,
                monotonic=monotonic,
                wall=wall,
                message_id=message.id,
                channel_id=message.channel.id,
                guild_id=message.channel.guild_id,
                author_id=message.author.id,
                author=message.author.name,
                recipient_id=None if recipient is None else recipient.id,
                recipient=None if recipient is None else recipient.name,
                content=message.content,
                embeds=message.embeds,
                components=message.components,
                pinged_users=pings.users,
                pinged_roles=pings.roles,
                pings_everyone=pings.everyone,
                nonce=message.nonce,
                returned_earlier=returned_earlier,
                visible_to=message.visible_to,
            )
        )

    def after(self, number: int) -> list[Accepted]:
        """The records later than `number`."""
        return self.records[max(0, number) :]
