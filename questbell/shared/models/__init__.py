"""The tables. PostgreSQL is the truth; everything else is a copy or an effect."""

from questbell.shared.models.base import Base, new_id
from questbell.shared.models.delivery import DeliveryState, NotificationDelivery, RecipientKind
from questbell.shared.models.game import Game, GameStatus, Guild, Participant
from questbell.shared.models.parked import ParkedMessage, Resolution
from questbell.shared.models.person import Person
from questbell.shared.models.schedule import (
    DueRow,
    GameStatusSchedule,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)

__all__ = [
    "Base",
    "DeliveryState",
    "DueRow",
    "Game",
    "GameStatus",
    "GameStatusSchedule",
    "Guild",
    "NotificationDelivery",
    "NotificationKind",
    "NotificationSchedule",
    "Outcome",
    "ParkedMessage",
    "Participant",
    "Person",
    "RecipientKind",
    "Resolution",
    "new_id",
]
