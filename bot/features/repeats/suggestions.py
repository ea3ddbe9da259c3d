"""Suggests ways to repeat, with the dates that they mean."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from bot.features.errors import UserError
from bot.features.repeats.phrases import read_repeat
from bot.rendering.escaping import clean
from shared.series.rule import WEEKDAYS, format_ordinal

_DATES_SHOWN = 3
_ORDINALS = ("first", "second", "third", "fourth", "last")
_FREQUENCIES = ("every week", "every day", "every month")


def list_repeats(text: str, *, start: datetime) -> list[tuple[str, str]]:
    """Return what a text can mean with its first dates, and the text that means exactly it.

    `start` is the local time of the first game. A text that only says how it ends is completed.
    """
    text = clean(text)
    examples = [example for example in _list_examples(start) if text.casefold() in example.casefold()]
    entered = _describe(text, start=start) if text else None
    completed = [] if entered or not text else [f"{frequency}, {text}" for frequency in _FREQUENCIES]
    found: dict[str, str] = {}
    for wording in [*([text] if entered else []), *examples, *completed]:
        if (meaning := _describe(wording, start=start)) is not None:
            found.setdefault(meaning, wording)
    return list(found.items())


def _list_examples(start: datetime) -> list[str]:
    weekday = WEEKDAYS[start.weekday()]
    which = _ORDINALS[(start.day - 1) // 7]
    return [
        f"every {weekday}",
        f"every 2 weeks on {weekday}",
        "daily",
        f"monthly on the {format_ordinal(start.day)}",
        f"every month on the {which} {weekday}",
        f"every {weekday}, 10 times",
    ]


def _describe(text: str, *, start: datetime) -> str | None:
    try:
        rule = read_repeat(text, start=start)
    except UserError:
        return None
    dates = (f"{local:%a} {local.day} {local:%b}" for local in islice(rule.local_times(start), _DATES_SHOWN))
    return f"{rule.describe()} · {', '.join(dates)}"
