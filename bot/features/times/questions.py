"""Questions about ambiguous start times, and spellings that dateparser doesn't know.

dateparser fills gaps, so "friday 4 8pm" becomes a day in April. A day that the text doesn't name is refused.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from bot.features.errors import UserError
from bot.features.times.durations import parse_span
from bot.rendering.escaping import escape

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = rf"(?:{'|'.join(_WEEKDAYS)})(?:s|sday|nesday|rs?|rsday|urday|day)?"
_MONTH = rf"(?:{'|'.join(_MONTHS)})(?:t|uary|ruary|ch|il|e|y|ust|tember|ober|ember)?"
_DAY = rf"(?:today|tonight|tomorrow|morning|afternoon|evening|night|{_WEEKDAY})"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = rf"(?:(?:{_MONTH} {_ORDINAL}|{_ORDINAL} {_MONTH})(?:,? \d{{4}})?|\d{{4}}-\d\d-\d\d)"
_HOUR = r"(?:[1-9]|1[0-2])"

_REWRITES = (
    (re.compile(r"\b(?:tmrw?|tomorow|tomm?orr?ow)\b"), "tomorrow"),
    (re.compile(r"\btonite\b"), "tonight"),
    (re.compile(r"\bweds\b"), "wednesday"),
    (re.compile(r"\bthurs?\b"), "thursday"),
    (re.compile(r"\ban hour and a half\b"), "90 minutes"),
    (re.compile(r"\bhalf an hour\b"), "30 minutes"),
    (re.compile(r"\s*@\s*"), " at "),
    (re.compile(r"(?<![\d.])(\d{1,2})\.(\d\d)(?= ?[ap]\.?m)"), r"\1:\2"),
    (re.compile(r"\b(\d{1,2}(?::\d\d)?)([ap])(?![\w.])"), r"\1\2m"),
    (re.compile(rf"\b((?:at|{_DAY}) (?:[01]\d|2[0-3]))([0-5]\d)$"), r"\1:\2"),
    (re.compile(r"\b((?:morning)(?: at)? (?:[5-9]|1[01]))$"), r"\1am"),
    (re.compile(r"\b(afternoon(?: at)? [1-6])$"), r"\1pm"),
    (re.compile(r"\b((?:tonight|evening|night)(?: at)? (?:[5-9]|1[01]))$"), r"\1pm"),
)

_ENDS_WITH_HOUR = re.compile(rf"(?:[a-z0-9 ,-]*\b)?(?:at|{_DAY}|{_DATE}),? {_HOUR}|{_HOUR}")
_STARTS_WITH_HOUR = re.compile(rf"((?:at )?{_HOUR})( (?:on )?(?:this |next )?{_DAY})")
_NUMERIC_DATE = re.compile(r"(?<![\d/.-])(\d{1,2})(?:[/-](\d{1,2})(?:[/-](\d{2,4}))?|\.(\d{1,2})\.(\d{2,4})?)(?!\d)")
_CLOCK = r"\d{1,2}(?::\d\d)?"
_RANGE = re.compile(
    rf"(?<![\d/.:-])(?:{_CLOCK} ?[ap]m ?(?:-|\u2013|to|til|till|until) ?{_CLOCK}|"
    rf"{_CLOCK} ?(?:-|\u2013|to|til|till|until) ?(?:{_CLOCK} ?[ap]m|\d{{1,2}}:\d\d))(?![\d/-])"
)
_NAMED_WEEKDAY = re.compile(rf"\b{_WEEKDAY}\b")
_NAMED_MONTH = re.compile(rf"\b{_MONTH}\b")
_DISTANCE = re.compile(r"\b(?:in|from now|weeks?)\b")
_NAMES_A_DATE = re.compile(r"\d[/.-]\d")
_NEAR = timedelta(days=8)
"""A text without a date, such as "friday 8pm", means a day in the next week."""


def rewrite(text: str) -> str:
    """Return a lower-case text in spellings that dateparser knows."""
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def refuse_ambiguous(text: str) -> None:
    """Refuse a text with several readings.

    Raises:
        UserError: a duration, a range, or a date like 5/6.
    """
    if parse_span(text) is not None:
        raise UserError(f"For {text} from now, enter `in {text}`. For a time of day, enter it like `20:00`.")
    if _RANGE.search(text):
        raise UserError("Enter only the start, such as `friday 8pm`. Enter how long it lasts in `duration`.")
    found = _NUMERIC_DATE.search(text)
    if found is None:
        return
    first, second = int(found[1]), int(found[2] or found[4])
    if first == second or not (0 < first <= 12 and 0 < second <= 12):
        return
    year = found[3] or found[5] or ""
    one, other = (f"{day} {_MONTHS[month - 1]} {year}".strip() for day, month in ((first, second), (second, first)))
    raise UserError(f"Does {quote(found[0])} mean {one.title()} or {other.title()}? Enter `{one}` or `{other}`.")


def ask_for_time_of_day(text: str) -> str | None:
    """Return the question about a bare hour such as "friday 8", else None."""
    if not (meanings := list_bare_hour_meanings(text)):
        return None
    morning, evening = meanings
    return f"{quote(text)}: morning or evening? Enter `{morning}` or `{evening}`."


def list_bare_hour_meanings(text: str) -> tuple[str, ...]:
    """Return "friday 8am" and "friday 8pm" for "friday 8", or nothing without a bare hour."""
    text = rewrite(text.casefold())
    if _ENDS_WITH_HOUR.fullmatch(text):
        return f"{text}am", f"{text}pm"
    if found := _STARTS_WITH_HOUR.fullmatch(text):
        return f"{found[1]}am{found[2]}", f"{found[1]}pm{found[2]}"
    return ()


def refuse_misread(text: str, local: datetime, *, base: datetime) -> None:
    """Refuse a result that doesn't fit its text. Both times are local.

    Raises:
        UserError: the text doesn't say which day, or it names a weekday and a date that differ.
    """
    if _NAMED_MONTH.search(text):
        is_named = re.search(rf"(?<![\d:.])0?{local.day}(?:st|nd|rd|th)?(?![\w:]|\.\d)", text) is not None
    else:
        is_named = local - base < _NEAR or bool(_DISTANCE.search(text) or _NAMES_A_DATE.search(text))
    if not is_named:
        example = base + timedelta(days=7)
        raise UserError(
            f"I'm not sure which day {quote(text)} means. "
            f"Enter the day and the month, as in `{example.day} {_MONTHS[example.month - 1]} 8pm`."
        )
    if any(name[:3] != _WEEKDAYS[local.weekday()] for name in _NAMED_WEEKDAY.findall(text)):
        raise UserError(
            f"{quote(text)} doesn't add up: {local.day} {local:%B %Y} is a {local:%A}. "
            "Enter only the date or only the day of the week."
        )


def quote(text: str) -> str:
    """Return user input in quotation marks."""
    return f"“{escape(text, limit=80)}”"
