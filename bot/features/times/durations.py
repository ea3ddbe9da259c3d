"""Parses durations and reminder times.

Every number needs a unit. Guessing was rejected because "90" may mean minutes or be a mistake.
"""

from __future__ import annotations

import re
from datetime import timedelta

from bot.features.errors import UserError
from bot.features.times.normalize import normalize
from bot.features.times.spans import LONGEST, SHORTEST, parse_span, read_spans
from bot.rendering.escaping import escape
from shared.formatting import SECONDS_PER_UNIT

MOST_REMINDERS = 5
EARLIEST_REMINDER = timedelta(days=30)

_AT_START = {"0", "start", "at start", "at the start"}
_NONE = {"none", "no", "off", "-"}


def parse_duration(text: str) -> timedelta:
    """Return a game's duration, in whole seconds from 10 s to 7 days.

    Raises:
        UserError: the text is invalid or outside that range.
    """
    normalized = normalize(text)
    duration = parse_span(normalized)
    if duration is None:
        if options := _with_units(normalized, "hm", shortest=SHORTEST, longest=LONGEST):
            raise UserError(f"Does {_quote(text)} mean hours or minutes? Try {options}.")
        raise UserError(f"I don't understand the duration {_quote(text)}. Try `3h`, `1h30m` or `45m`.")
    if duration < SHORTEST:
        raise UserError("A game must last at least 10 seconds. Try `3h` or `90m`.")
    if duration > LONGEST:
        raise UserError("A game can last up to 7 days. Try `2d` or `36h`.")
    return timedelta(seconds=round(duration.total_seconds()))


def parse_reminder_offsets(text: str) -> tuple[int, ...]:
    """Return reminder times in minutes before the start, earliest first. 0 is the start, and "none" means no reminders.

    Raises:
        UserError: a part is invalid, there are too many, or one is more than 30 days before the start.
    """
    text = normalize(text)
    if not text or text in _NONE:
        return ()
    parts = [piece for raw in re.split(r"[,;]", text) if (part := raw.strip()) for piece in _split(part)]
    offsets = tuple(sorted({_parse_offset(part) for part in parts}, reverse=True))
    if len(offsets) > MOST_REMINDERS:
        raise UserError(
            f"A game can have up to {MOST_REMINDERS} reminders, but you entered {len(offsets)}. Try `1d, 1h, 0`."
        )
    return offsets


def parse_time_before(text: str, *, option: str) -> int:
    """Return how many minutes before the start an option says, 0 for the start.

    Raises:
        UserError: the text is invalid, or more than 30 days before the start.
    """
    normalized = normalize(text).removesuffix(" before").strip()
    if normalized in _AT_START | _NONE:
        return 0
    if options := _with_units(normalized, "hm", shortest=timedelta(minutes=1), longest=EARLIEST_REMINDER):
        raise UserError(f"Does {_quote(text)} for `{option}` mean hours or minutes? Try {options}.")
    span = parse_span(normalized)
    if span is None:
        raise UserError(
            f"I don't understand {_quote(text)} for `{option}`. Enter how long before the start, such as `1d` or `2h`."
        )
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    if seconds:
        raise UserError(f"`{option}` must be whole minutes. Try `30m` or `2h`.")
    if span > EARLIEST_REMINDER:
        raise UserError(f"`{option}` can be up to 30 days before the start. Try `30d` or `1w`.")
    return minutes


def _split(part: str) -> list[str]:
    """Return the reminders of a part without commas.

    Raises:
        UserError: "1d 1h" can mean one reminder or two.
    """
    part = part.removesuffix(" before").strip()
    pieces = [piece for joined in part.split(" and ") for piece in _split_spans(joined.strip())]
    if len(pieces) == 1 or (" and " in part and parse_span(part) is None and len(pieces) == part.count(" and ") + 1):
        return pieces
    one = parse_span(part)
    together = "" if one is None else f", or `{format_span(one)}` for one"
    raise UserError(
        f"Is {_quote(part)} one reminder or {len(pieces)}? "
        f"Enter `{', '.join(pieces)}` for {len(pieces)} reminders{together}."
    )


def _split_spans(text: str) -> list[str]:
    """Return "1d" and "1h" for "1d 1h", and the whole text if it does not consist of such parts."""
    pieces, position = [], 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        zero = re.match(r"0(?![\d.a-z])", text[position:])
        ends = [position + zero.end()] if zero else [end for _span, end, _unit in read_spans(text, position)]
        tight = [end for end in ends if " " not in text[position:end] or end == ends[0]]
        if not tight or (tight[-1] < len(text) and text[tight[-1]] != " "):
            return [text]
        pieces.append(text[position : tight[-1]])
        position = tight[-1]
    return pieces or [text]


def _parse_offset(part: str) -> int:
    part = part.removesuffix(" before").strip()
    if part in _AT_START:
        return 0
    if options := _with_units(part, "mh", shortest=timedelta(minutes=1), longest=EARLIEST_REMINDER):
        raise UserError(
            f"Does the reminder {_quote(part)} mean minutes or hours? Enter {options}, or `0` for the start."
        )
    span = parse_span(part)
    if span is None:
        raise UserError(
            f"I don't understand the reminder {_quote(part)}. "
            "Enter how long before the start, such as `1d, 1h, 10m, 0`, or `none`."
        )
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    if seconds:
        raise UserError("Reminders must be whole minutes. Try `2m` or `0`.")
    if span > EARLIEST_REMINDER:
        raise UserError("A reminder can be up to 30 days before the start. Try `30d` or `1w`.")
    return minutes


def _with_units(number: str, units: str, *, shortest: timedelta, longest: timedelta) -> str:
    """Return "`90h` or `90m`", without what is out of the limits, or "" if the text is no number."""
    texts = [f"{number}{unit}" for unit in units] if number.isdecimal() else []
    spans = {text: parse_span(text) for text in texts}
    return " or ".join(f"`{text}`" for text, span in spans.items() if span is not None and shortest <= span <= longest)


def format_span(span: timedelta) -> str:
    """Return "1h30m", which is read as the same length."""
    rest, parts = int(span.total_seconds()), []
    for unit in ("day", "hour", "minute", "second"):
        count, rest = divmod(rest, SECONDS_PER_UNIT[unit])
        parts.append(f"{count}{unit[0]}" if count else "")
    return "".join(parts) or "0s"


def _quote(text: str) -> str:
    return f"“{escape(text, limit=60)}”"
