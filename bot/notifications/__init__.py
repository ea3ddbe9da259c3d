"""The content and recipients of each kind of notification."""

from collections.abc import Mapping

from bot.notifications.announcement import ANNOUNCEMENT, render_announcement
from bot.notifications.cancellation import CANCELLATION
from bot.notifications.change import CHANGE
from bot.notifications.content import Message, NotificationContent, NotificationContext, Person, Recipient
from bot.notifications.drop_out import DROP_OUT
from bot.notifications.minimum import MINIMUM
from bot.notifications.nudge import NUDGE
from bot.notifications.offer_end import OFFER_END
from bot.notifications.personal_reminder import PERSONAL_REMINDER
from bot.notifications.promotion import PROMOTION
from bot.notifications.reminder import REMINDER
from bot.notifications.warning import WARNING
from shared.models import NotificationKind

CONTENT: Mapping[NotificationKind, NotificationContent] = {
    NotificationKind.REMINDER: REMINDER,
    NotificationKind.PERSONAL_REMINDER: PERSONAL_REMINDER,
    NotificationKind.CANCELLATION: CANCELLATION,
    NotificationKind.CHANGE: CHANGE,
    NotificationKind.DROP_OUT: DROP_OUT,
    NotificationKind.PROMOTION: PROMOTION,
    NotificationKind.MINIMUM: MINIMUM,
    NotificationKind.NUDGE: NUDGE,
    NotificationKind.OFFER_END: OFFER_END,
    NotificationKind.ANNOUNCEMENT: ANNOUNCEMENT,
    NotificationKind.WARNING: WARNING,
}

__all__ = [
    "CONTENT",
    "Message",
    "NotificationContent",
    "NotificationContext",
    "Person",
    "Recipient",
    "render_announcement",
]
