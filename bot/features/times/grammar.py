"""Combines phrases. Every combination that uses the whole text is one of its meanings."""

from __future__ import annotations

from dataclasses import dataclass

from bot.features.times.facts import Facts
from bot.features.times.phrases import read_phrases
from bot.features.times.zone_names import Customs

_MOST_STEPS = 200
"""Six times what a real text needs. It bounds the work for texts made to be slow."""


@dataclass(frozen=True)
class Meanings:
    """All meanings of a text, and where the part begins that no combination could use."""

    all: tuple[Facts, ...]
    unread: int


def read(text: str, customs: Customs) -> Meanings:
    """Return the meanings of a normalized text."""
    found: dict[Facts, None] = {}
    seen: set[tuple[int, Facts]] = set()
    furthest = 0
    todo = [(0, Facts())]
    while todo and len(seen) < _MOST_STEPS:
        position, facts = todo.pop()
        while text[position : position + 1] == " ":
            position += 1
        if (position, facts) in seen:
            continue
        seen.add((position, facts))
        furthest = max(furthest, position)
        if position == len(text):
            found[facts] = None
            continue
        following = [
            (end, merged)
            for end, meaning in read_phrases(text, position, customs)
            if (merged := facts.merge(meaning)) is not None
        ]
        todo.extend(reversed(following))
    if todo:
        return Meanings((), 0)
    return Meanings(tuple(found), furthest)
