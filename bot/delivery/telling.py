"""What one kind of notification says, and to whom.

Pure: everything a telling may know is in the `Standing`, read in the transaction that commits `sending`. So many can
be told in one transaction, and each is tested without one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.decide import Standing
from bot.delivery.ledger import Recipient
from bot.rendering.payload import Payload
from shared.models import NotificationDelivery


@dataclass(frozen=True)
class Message:
    """What one recipient is told, and whom it mentions."""

    payload: Payload
    mentions: tuple[int, ...] = ()


class Telling(ABC):
    """A kind of notification."""

    @abstractmethod
    def recipients(self, standing: Standing) -> Sequence[Recipient]:
        """Return who is told; asked once, at the first attempt."""

    @abstractmethod
    def message(self, standing: Standing, delivery: NotificationDelivery, *, nonce: str, fresh: bool) -> Message:
        """Return what a recipient is told now. Unless `fresh`, it may have been told before, and mentions nobody whom
        it did not mention then. `nonce` marks its components."""
