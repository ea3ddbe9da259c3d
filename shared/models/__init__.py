"""The tables. PostgreSQL is the source of truth."""

from shared.models.audit import AuditAction, AuditEntry
from shared.models.base import Base, new_id
from shared.models.bot_process import BotProcess
from shared.models.delivery import DeliveryState, NotificationDelivery, RecipientKind, delivery_id
from shared.models.details import DETAILS, LONGEST_DURATION, GameDetails, Slot, copy_details
from shared.models.draft import Draft
from shared.models.game import Answer, CoHost, Game, GameStatus, Guild, Participant, Response
from shared.models.interaction import Interaction
from shared.models.parked import ParkedMessage, Resolution
from shared.models.schedule import (
    DueRow,
    GameStatusSchedule,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.models.series import ExceptionKind, GameSeries, PauseReason, SeriesException, SeriesState
from shared.models.template import GameTemplate
from shared.models.user import User

__all__ = [
    "DETAILS",
    "LONGEST_DURATION",
    "Answer",
    "AuditAction",
    "AuditEntry",
    "Base",
    "BotProcess",
    "CoHost",
    "DeliveryState",
    "Draft",
    "DueRow",
    "ExceptionKind",
    "Game",
    "GameDetails",
    "GameSeries",
    "GameStatus",
    "GameStatusSchedule",
    "GameTemplate",
    "Guild",
    "Interaction",
    "NotificationDelivery",
    "NotificationKind",
    "NotificationSchedule",
    "Outcome",
    "ParkedMessage",
    "Participant",
    "PauseReason",
    "RecipientKind",
    "Resolution",
    "Response",
    "SeriesException",
    "SeriesState",
    "Slot",
    "User",
    "copy_details",
    "delivery_id",
    "new_id",
]
