"""The content of a notification, as pure functions over its context.

The context is read in the transaction that commits `sending`, so content needs no database access.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from bot.notifications.rows import Delivery, DueNotification
from bot.rendering.embeds import Responder
from bot.rendering.payload import MENTIONS_LIMIT, Payload
from bot.rendering.seats import list_offered, list_unconfirmed
from shared.models import Game, NotificationKind, RecipientKind

_REMINDERS = (NotificationKind.REMINDER, NotificationKind.PERSONAL_REMINDER)


class Person(NamedTuple):
    """A player or the host, and their notification settings."""

    user_id: int
    has_joined: bool = True
    """False for a host who has no seat."""
    slot: str | None = None
    offered_until: datetime | None = None
    """When they lose a seat that they have not taken yet."""
    is_confirmed: bool = True
    """False for a player who has not confirmed the new time, or not taken an offered seat yet."""
    wants_dm: bool = False
    has_closed_dms: bool = False
    """Whether Discord rejected a direct message since they last asked for them."""
    reminders_off: bool = False
    """Whether they want no reminders. Every other notification is for them too."""


@dataclass(frozen=True)
class NotificationContext:
    """A valid notification with everything needed to send it, at one moment."""

    notification: DueNotification
    game: Game
    now: datetime
    people: Sequence[Person]
    """The players in the order they joined, and the host."""
    deliveries: Sequence[Delivery]
    is_stale: bool = False
    """Whether it is no longer valid. It is not sent to anyone, but what may have been sent is not known yet."""
    guild_name: str = ""
    responses: Sequence[Responder] = ()
    """The answers of users who have no seat, in the order they answered. Only announcements have them."""
    co_hosts: Sequence[int] = ()
    """The co-hosts, the first added first. Only announcements have them."""
    earlier_players: Sequence[Person] = ()
    """The players of earlier games who have not answered. Only nudges have them."""
    read_at: float = field(default_factory=time.monotonic)
    """When `now` was read, by this process's monotonic clock."""

    @cached_property
    def roster(self) -> list[int]:
        """The players in the order they joined."""
        return [person.user_id for person in self.people if person.has_joined]

    @property
    def slots(self) -> dict[int, str | None]:
        """The slots of the players."""
        return {person.user_id: person.slot for person in self.people if person.has_joined}

    @property
    def unconfirmed(self) -> list[int]:
        """The players who have not confirmed the new time yet."""
        return list_unconfirmed(self.people)

    @property
    def offered(self) -> list[int]:
        """The players who have not taken an offered seat yet."""
        return list_offered(self.people)

    @cached_property
    def audience(self) -> list[Person]:
        """The people whom it is for.

        A reminder is not for those who turned reminders off. A nudge is for none of the game's own people.
        """
        if self.notification.kind is NotificationKind.NUDGE:
            return list(self.earlier_players)
        is_reminder = self.notification.kind in _REMINDERS
        return [person for person in self.people if not (is_reminder and person.reminders_off)]

    @cached_property
    def user_ids(self) -> list[int]:
        """The people whom it is for: usually the players in the order they joined, and the host."""
        return [person.user_id for person in self.audience]

    @property
    def host(self) -> Person:
        """The host."""
        return next(person for person in self.people if person.user_id == self.game.host_id)

    @property
    def addressee(self) -> Person | None:
        """The only recipient, None if it is for everybody or the user has left."""
        return next((person for person in self.people if person.user_id == self.notification.user_id), None)

    @cached_property
    def contacted(self) -> set[int]:
        """Everyone who has a delivery or is mentioned in one."""
        return {user for row in self.deliveries for user in (row.recipient_id, *row.mentions)}

    def newcomers(self, delivery: Delivery) -> list[int]:
        """Return whom a message can add, because no delivery reaches them. Only the channel's last one adds them."""
        channel = [row for row in self.deliveries if row.recipient_kind is RecipientKind.CHANNEL]
        if not channel or delivery.id != channel[-1].id:
            return []
        return [user for user in self.user_ids if user not in self.contacted]

    def left_out(self, delivery: Delivery, mentions: Sequence[int]) -> list[int]:
        """Return whom a message would add if it had room for more mentions."""
        if len(mentions) < MENTIONS_LIMIT:
            return []
        return [user for user in self.newcomers(delivery) if user not in mentions]

    def latency(self) -> timedelta:
        """Return how long the notification has been due."""
        return self.now - self.notification.due_at + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass(frozen=True)
class Recipient:
    """A user, or a channel with the players mentioned there."""

    kind: RecipientKind
    id: int
    mentions: tuple[int, ...] = ()
    chunk: int = 0


@dataclass(frozen=True)
class Message:
    """A message and the players it mentions."""

    payload: Payload
    mentions: tuple[int, ...] = ()


@dataclass(frozen=True)
class NotificationContent:
    """The content of one kind of notification."""

    recipients: Callable[[NotificationContext], Sequence[Recipient]]
    """Called once, at the first attempt."""
    message: Callable[[NotificationContext, Delivery, bool], Message]
    """After the first attempt it must not mention anyone new, because it may already have been sent."""
    is_private: bool = False
    """Whether it is for its recipient alone, who need not be a player and is never mentioned in the channel instead."""
    is_for_mentioned: bool = False
    """Whether the channel's first message is not sent if nobody is left whom it was to mention."""
    is_urgent: bool = True
    """Whether its direct messages are opened before those of others."""
