"""Every change that a row may go through, as data.

docs/states.md is made from this table (`states_page`), and a trigger of the test databases refuses any other change
(`transition_check`). A change of the product that needs a new transition adds it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NOTIFICATIONS, STATUSES, DELIVERIES, GAMES, SERIES = (
    "notification_schedule",
    "game_status_schedule",
    "notification_delivery",
    "game",
    "game_series",
)
STATE_OF = {
    NOTIFICATIONS: "coalesce({row}.outcome, 'open')",
    STATUSES: "coalesce({row}.outcome, 'open')",
    DELIVERIES: "{row}.state",
    GAMES: "{row}.status",
    SERIES: "{row}.state",
}
"""The SQL expression that gives the state of a row."""
NONE = "none"
"""The state of a row that does not exist."""


@dataclass(frozen=True)
class Transition:
    """One change of a row that is allowed."""

    table: str
    name: str
    before: tuple[str, ...]
    after: str
    by: str
    meaning: str
    columns: tuple[str, ...] = ()
    """What may change beside the state. Empty for rows that are created or deleted."""
    condition: str = "true"
    """What else must hold, as SQL over OLD and NEW."""

    @property
    def key(self) -> str:
        return f"{self.table}.{self.name}"


_CHANGE, _SCHEDULER, _BOT, _CONTROLLERS, _UPKEEP = (
    "change of a game",
    "scheduler loop",
    "bot",
    "scheduler loop, dead-letter loop",
    "housekeeping",
)
RECOVER = "`questbell recover`"
OUTCOME = ("settled_at", "attempt_at", "outcome", "outcome_detail")
"""The columns that change together when a row is settled."""
_LEDGER = "SELECT FROM notification_delivery AS d WHERE d.notification_id = NEW.id"
_NOTHING_IS_OPEN = f"NOT EXISTS ({_LEDGER} AND d.state IN ('pending', 'sending'))"
_NOTHING_IS_IN_DOUBT = f"NOT EXISTS ({_LEDGER} AND d.state = 'sending')"
_IS_ANNOUNCEMENT = "NEW.kind = 'announcement'"
_OTHER_CHANGES = "any of its columns but the state"


def _schedule(table: str) -> Iterator[Transition]:
    """Yield the transitions that both schedules have in common."""

    def open_row(name: str, by: str, meaning: str, columns: tuple[str, ...], condition: str = "true") -> Transition:
        return Transition(table, name, ("open",), "open", by, meaning, columns, condition)

    yield Transition(
        table,
        "scheduled",
        (NONE,),
        "open",
        _CHANGE,
        "The game needs the row.",
        condition="NEW.attempts = 0 AND NEW.failed_attempt = 0",
    )
    yield open_row(
        "kept",
        _CHANGE,
        "The game has a new version and still needs the row.",
        ("game_version",),
        "NEW.game_version > OLD.game_version",
    )
    yield open_row(
        "published",
        _CONTROLLERS,
        "RabbitMQ confirmed the message. The row is due again after the settle time-out.",
        ("attempts", "attempt_at"),
        "NEW.attempts = OLD.attempts + 1",
    )
    yield open_row(
        "publish_failed",
        _CONTROLLERS,
        "RabbitMQ did not confirm the message. The row is due again after a backoff.",
        ("attempts", "failed_attempt", "last_error", "attempt_at"),
        "NEW.attempts = OLD.attempts + 1 AND NEW.failed_attempt = NEW.attempts",
    )
    yield open_row(
        "attempt_failed",
        _BOT,
        "The bot records that the attempt failed.",
        ("failed_attempt", "last_error"),
        "NEW.failed_attempt = NEW.attempts",
    )
    yield open_row(
        "rescheduled",
        "bot, scheduler loop",
        "The next attempt is after a backoff, a rate limit or a lease, or at once because RabbitMQ lost its queue.",
        ("attempt_at",),
    )
    yield Transition(
        table,
        "superseded",
        ("open",),
        "superseded",
        f"{_CHANGE}, bot",
        "The game was moved or cancelled, or a later row replaces this one. What may have been sent is known first.",
        OUTCOME,
        _NOTHING_IS_IN_DOUBT if table == NOTIFICATIONS else "true",
    )


def _schedules() -> Iterator[Transition]:
    yield from _schedule(NOTIFICATIONS)
    yield Transition(
        NOTIFICATIONS,
        "extended",
        ("open",),
        "open",
        _CHANGE,
        "Another player has left while the host's notice may be on its way. The next notice names that player.",
        ("next_user_ids",),
        "NEW.kind = 'drop_out'",
    )
    yield Transition(
        NOTIFICATIONS,
        "handed_over",
        ("open",),
        "open",
        _CHANGE,
        "The game has another host, who gets the warning or the question about the minimum of players instead.",
        ("user_id",),
        f"NEW.kind IN ('warning', 'minimum') AND {_NOTHING_IS_IN_DOUBT}",
    )
    yield Transition(
        NOTIFICATIONS,
        "delivered",
        ("open",),
        "delivered",
        _BOT,
        "Every recipient got the message. An announcement shows its game.",
        OUTCOME,
        f"{_NOTHING_IS_OPEN} AND ({_IS_ANNOUNCEMENT} OR EXISTS ({_LEDGER}) "
        f"AND NOT EXISTS ({_LEDGER} AND d.state <> 'sent'))",
    )
    yield Transition(
        NOTIFICATIONS,
        "partly_delivered",
        ("open",),
        "partly_delivered",
        _BOT,
        "Some recipients got the message. The others are `failed` or `unknown`.",
        OUTCOME,
        f"EXISTS ({_LEDGER} AND d.state = 'sent') AND EXISTS ({_LEDGER} AND d.state IN ('failed', 'unknown')) "
        f"AND {_NOTHING_IS_OPEN}",
    )
    yield Transition(
        NOTIFICATIONS,
        "undeliverable",
        ("open",),
        "undeliverable",
        "bot, scheduler loop",
        "No recipient got the message, or no message can be built.",
        OUTCOME,
        f"{_NOTHING_IS_OPEN} AND ({_IS_ANNOUNCEMENT} OR NOT EXISTS ({_LEDGER} AND d.state = 'sent'))",
    )
    yield Transition(
        NOTIFICATIONS,
        "recovered",
        ("open",),
        "delivered",
        RECOVER,
        "After a restore, the message was found in the channel.",
        OUTCOME,
        f"NEW.outcome_detail LIKE 'found in the channel after a restore%' AND {_NOTHING_IS_OPEN}",
    )
    yield Transition(
        NOTIFICATIONS,
        "unrecoverable",
        ("open",),
        "undeliverable",
        RECOVER,
        "After a restore, the channel cannot be read. The message may have been sent.",
        OUTCOME,
        f"NEW.outcome_detail LIKE 'unknown after a restore%' AND {_NOTHING_IS_OPEN}",
    )
    yield Transition(
        NOTIFICATIONS,
        "expired",
        ("open",),
        "expired",
        _BOT,
        "The game began more than a minute ago, so its reminder, question or nudge is useless.",
        OUTCOME,
        f"NEW.kind IN ('reminder', 'personal_reminder', 'minimum', 'nudge') "
        f"AND NEW.game_scheduled_at < clock_timestamp() AND {_NOTHING_IS_OPEN}",
    )
    yield Transition(
        NOTIFICATIONS,
        "amended",
        ("open",),
        "open",
        _BOT,
        "A warning to the host that was certainly not sent takes up another reason.",
        ("reason",),
        f"NEW.kind = 'warning' AND {_NOTHING_IS_IN_DOUBT}",
    )
    yield Transition(
        NOTIFICATIONS,
        "lapsed",
        ("open",),
        "open",
        _BOT,
        "The time to take a seat is over. The same transaction gives it to the next in line.",
        ("reason",),
        f"NEW.kind = 'offer_end' AND OLD.reason IS NULL AND NEW.due_at <= clock_timestamp() AND NOT EXISTS ({_LEDGER})",
    )
    yield Transition(
        NOTIFICATIONS,
        "reopened",
        ("superseded",),
        "open",
        _CHANGE,
        "The game was moved back, the player came back before the reminder was due, or the nudge gets another time. "
        "This is the only change of a settled row.",
        ("game_version", "game_scheduled_at", "reason", "user_id", "due_at", *OUTCOME),
        "NEW.kind IN ('reminder', 'personal_reminder', 'minimum', 'nudge') "
        "AND (NEW.due_at = OLD.due_at OR NEW.kind = 'nudge')",
    )
    yield Transition(
        NOTIFICATIONS,
        "purged",
        ("delivered", "partly_delivered", "expired", "superseded", "undeliverable"),
        NONE,
        _UPKEEP,
        "The retention time is over. The delivery rows are deleted too.",
    )
    yield from _schedule(STATUSES)
    yield Transition(
        STATUSES,
        "applied",
        ("open",),
        "applied",
        _BOT,
        "The game has the status.",
        OUTCOME,
        "(SELECT g.status FROM game AS g WHERE g.id = NEW.game_id) = NEW.target_status",
    )
    yield Transition(
        STATUSES,
        "undeliverable",
        ("open",),
        "undeliverable",
        _SCHEDULER,
        "No message can be built.",
        OUTCOME,
    )
    yield Transition(
        STATUSES,
        "purged",
        ("applied", "superseded", "undeliverable"),
        NONE,
        _UPKEEP,
        "The retention time is over.",
    )


_PARENT_EXISTS = "EXISTS (SELECT FROM notification_schedule AS n WHERE n.id = OLD.notification_id)"
_PARENT_IS_OPEN = (
    "EXISTS (SELECT FROM notification_schedule AS n WHERE n.id = NEW.notification_id AND n.settled_at IS NULL)"
)
_LEASE_ENDS = ("lease_until", "last_error")

_DELIVERIES = (
    Transition(
        DELIVERIES,
        "created",
        (NONE,),
        "pending",
        _BOT,
        "The first attempt of the notification fixes its recipients. New players for whom the channel's last message "
        "has no room get another.",
        condition="NEW.attempts = 0 AND NEW.message_id IS NULL",
    ),
    Transition(
        DELIVERIES,
        "begun",
        (NONE,),
        "sending",
        _BOT,
        "The recipients are fixed, and the first message need not wait. The bot commits this before it calls Discord.",
        condition="NEW.attempts = 1 AND NEW.message_id IS NULL AND NEW.lease_until IS NOT NULL "
        f"AND NEW.first_sending_at IS NOT NULL AND {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "addressed",
        ("pending", "sending"),
        "",
        _BOT,
        "The players to mention are read again before the first send.",
        ("mentions",),
    ),
    Transition(
        DELIVERIES,
        "started",
        ("pending",),
        "sending",
        _BOT,
        "A bot acquires the lease. It commits this before it calls Discord.",
        ("attempts", "first_sending_at", "lease_until", "mentions"),
        "NEW.attempts = OLD.attempts + 1 AND NEW.lease_until IS NOT NULL AND NEW.first_sending_at IS NOT NULL "
        f"AND {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "restarted",
        ("sending",),
        "sending",
        _BOT,
        "The lease has ended without a result, and Discord still knows the nonce, so sending again is safe.",
        ("attempts", "lease_until", "mentions"),
        f"NEW.attempts = OLD.attempts + 1 AND OLD.lease_until <= clock_timestamp() AND {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "released",
        ("sending",),
        "pending",
        _BOT,
        "The message was certainly not sent: not requested, rejected by Discord for now, or not in the channel.",
        ("first_sending_at", *_LEASE_ENDS),
        "NEW.first_sending_at IS NULL AND NEW.lease_until IS NULL",
    ),
    Transition(
        DELIVERIES,
        "redirected",
        ("sending",),
        "pending",
        _BOT,
        "The user accepts no direct messages. The channel mentions the user instead.",
        ("recipient_kind", "recipient_id", "mentions", "chunk", "first_sending_at", *_LEASE_ENDS),
        "OLD.recipient_kind = 'user' AND NEW.recipient_kind = 'channel' AND NEW.first_sending_at IS NULL",
    ),
    Transition(
        DELIVERIES,
        "uncertain",
        ("sending",),
        "sending",
        _BOT,
        "An attempt ended, and it or an earlier one may have been sent. The lease ends.",
        _LEASE_ENDS,
        "NEW.lease_until <= clock_timestamp()",
    ),
    Transition(
        DELIVERIES,
        "sent",
        ("pending", "sending", "failed", "unknown"),
        "sent",
        _BOT,
        "Discord accepted the message, or it was found in the channel. This counts even if another bot has the lease.",
        ("message_id", "finished_at", *_LEASE_ENDS),
        "NEW.message_id IS NOT NULL AND NEW.lease_until IS NULL",
    ),
    Transition(
        DELIVERIES,
        "failed",
        ("sending",),
        "failed",
        _BOT,
        "Discord refused the message for good.",
        ("finished_at", *_LEASE_ENDS),
        "NEW.lease_until IS NULL",
    ),
    Transition(
        DELIVERIES,
        "given_up",
        ("sending",),
        "unknown",
        _BOT,
        "It cannot be found out whether the message was sent. It is never sent again.",
        ("first_sending_at", "finished_at", *_LEASE_ENDS),
        f"OLD.lease_until <= clock_timestamp() AND {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "abandoned",
        ("sending",),
        "unknown",
        "bot, scheduler loop, " + RECOVER,
        "The notification was settled for another reason while an attempt had no result.",
        ("first_sending_at", "finished_at", *_LEASE_ENDS),
        f"NOT {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "withdrawn",
        ("pending",),
        "failed",
        "bot, scheduler loop, " + RECOVER,
        "The notification was settled before the message was sent.",
        ("first_sending_at", "finished_at", *_LEASE_ENDS),
        f"NOT {_PARENT_IS_OPEN}",
    ),
    Transition(
        DELIVERIES,
        "dropped",
        ("pending",),
        NONE,
        f"bot, {_CHANGE}",
        "The player left, or the game got another host, before the message was sent.",
        condition=_PARENT_EXISTS,
    ),
    Transition(
        DELIVERIES,
        "purged",
        ("pending", "sending", "sent", "failed", "unknown"),
        NONE,
        _UPKEEP,
        "The notification was deleted.",
        condition=f"NOT {_PARENT_EXISTS}",
    ),
)

_NEVER_FALLS = "NEW.version >= OLD.version AND NEW.revision >= OLD.revision"

_GAMES = (
    Transition(GAMES, "created", (NONE,), "scheduled", "host or bot", "`/game create`, or the next of a series."),
    Transition(
        GAMES,
        "changed",
        ("scheduled", "in_progress", "completed", "cancelled"),
        "",
        "host, player or bot",
        "Another time, roster or announcement. A new time raises `version`, and a visible change `revision`.",
        (_OTHER_CHANGES,),
        f"{_NEVER_FALLS} AND (NEW.scheduled_at = OLD.scheduled_at OR NEW.version > OLD.version)",
    ),
    Transition(
        GAMES,
        "started",
        ("scheduled",),
        "in_progress",
        _BOT,
        "The status transition at the start.",
        ("revision",),
        _NEVER_FALLS,
    ),
    Transition(
        GAMES,
        "completed",
        ("scheduled", "in_progress"),
        "completed",
        _BOT,
        "The status transition at the end. It may overtake the one at the start.",
        ("revision",),
        _NEVER_FALLS,
    ),
    Transition(
        GAMES,
        "cancelled",
        ("scheduled", "in_progress"),
        "cancelled",
        "host",
        "`/game cancel`.",
        ("version", "revision"),
        "NEW.version > OLD.version",
    ),
)

_GOES_ON = "NEW.planned_until::date >= OLD.planned_until::date"

_SERIES = (
    Transition(SERIES, "started", (NONE,), "active", "host", "`repeat` of `/game create`."),
    Transition(
        SERIES,
        "changed",
        ("active", "paused", "ended"),
        "",
        "host or bot",
        "`/series edit`, or the next games were made. `planned_until` only ever moves to a later day.",
        (_OTHER_CHANGES,),
        _GOES_ON,
    ),
    Transition(
        SERIES,
        "paused",
        ("active",),
        "paused",
        "host or bot",
        "`/series pause`, or `pause_reason` says what has happened. No more games are made.",
        ("pause_reason",),
    ),
    Transition(
        SERIES,
        "resumed",
        ("paused", "ended"),
        "active",
        "host",
        "`/series resume`. The next game in the future is made.",
        ("planned_until", "pause_reason"),
        _GOES_ON,
    ),
    Transition(
        SERIES,
        "ended",
        ("active", "paused"),
        "ended",
        "host or bot",
        "`/series end`, or the rule has no more dates and no game is open.",
        ("planned_until", "pause_reason"),
        _GOES_ON,
    ),
)

TRANSITIONS: tuple[Transition, ...] = (*_schedules(), *_DELIVERIES, *_GAMES, *_SERIES)
