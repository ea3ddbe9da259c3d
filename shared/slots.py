"""Which slot of a game has a free seat, as pure functions over who has which.

A seat needs space in the game and in its slot. Players who joined before the game had slots have none until they choose
one, and count for the game alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.models import Game, Slot

Seats = Mapping[int, str | None]
"""The slot of each player, None without one, in the order they joined. Of those who wait: the one they wait for."""


def find_slot(slots: Sequence[Slot], name: str) -> Slot | None:
    """Return the slot with a name, ignoring case."""
    return next((slot for slot in slots if slot.name.casefold() == name.casefold()), None)


def choose_slot(slots: Sequence[Slot], name: str | None) -> Slot | None:
    """Return the slot that a user chooses. The only one need not be named."""
    if name is None:
        return slots[0] if len(slots) == 1 else None
    return find_slot(slots, name)


def is_full(game: Game, seats: Seats) -> bool:
    """Return whether all seats of a game are taken, whatever its slots."""
    return game.capacity is not None and len(seats) >= game.capacity


def has_space(slot: Slot, seats: Seats) -> bool:
    """Return whether a slot has a free seat, also in a game that is full."""
    return slot.capacity is None or Counter(seats.values())[slot.name] < slot.capacity


def find_free_slot(game: Game, seats: Seats, wanted: str | None) -> Slot | None:
    """Return the first slot with space for a user who waits for one, or for any."""
    known = find_slot(game.slots, wanted) if wanted is not None else None
    return next((slot for slot in ([known] if known else game.slots) if has_space(slot, seats)), None)


def find_overfull_slot(before: Sequence[Slot], after: Sequence[Slot], seats: Seats, waiting: Seats) -> Slot | None:
    """Return the first slot of a game that would have fewer seats than players, or would be missing for those in it.

    Without any slots, everybody keeps their seat and place.
    """
    taken = Counter(seats.values())
    for slot in before if after else ():
        kept = find_slot(after, slot.name)
        if kept is None and (taken[slot.name] or slot.name in waiting.values()):
            return slot
        if kept is not None and kept.capacity is not None and kept.capacity < taken[slot.name]:
            return slot
    return None


def count_seats(capacity: int | None, slots: Sequence[Slot]) -> int | None:
    """Return how many players can join an empty game, None if all can."""
    limits = [] if capacity is None else [capacity]
    if slots and all(slot.capacity is not None for slot in slots):
        limits.append(sum(slot.capacity or 0 for slot in slots))
    return min(limits) if limits else None


def count_free_seats(game: Game, seats: Seats) -> int | None:
    """Return how many more players can join, None if all can."""
    limits = [] if game.capacity is None else [game.capacity - len(seats)]
    taken = Counter(seats.values())
    if game.slots and all(slot.capacity is not None for slot in game.slots):
        limits.append(sum(max(0, (slot.capacity or 0) - taken[slot.name]) for slot in game.slots))
    return max(0, min(limits)) if limits else None
