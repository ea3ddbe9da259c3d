"""Makes the game of `/game create` the first one of a series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.features.repeats.phrases import parse_repeat
from bot.rendering.formatting import format_timestamp
from shared.formatting import format_duration, join_words
from shared.models import Game
from shared.series.lifecycle import start_series
from shared.series.planning import ClockChange, find_clock_change, resolve
from shared.series.rule import Rule

_DATES_SHOWN = 3
_CLOCKS_WATCHED = timedelta(days=400)
_GAPS_CHECKED = 30


async def make_series(session: AsyncSession, game: Game, text: str) -> list[str]:
    """Make a game that this transaction created repeat as the text says. Return the lines that confirm it.

    Raises:
        UserError: the text is unclear, or the game does not fit it.
    """
    lines = plan_series(game, text)
    await start_series(session, game, parse_repeat(text, start=game.local_time))
    return lines


def plan_series(game: Game, text: str) -> list[str]:
    """Show on a game that it repeats as the text says, and return the lines that say so. It is no series yet.

    Raises:
        UserError: the text is unclear, or the game does not fit it.
    """
    rule = parse_repeat(text, start=game.local_time)
    require_time_between(rule, start=game.local_time, duration=game.duration)
    game.series_rule = str(rule)
    following = rule.local_times(game.local_time, after=game.local_time)
    return [
        f"🔁 {rule.describe()}. {confirm_dates(following, zone=ZoneInfo(game.zone))}",
        *describe_clock_changes(rule, start=game.local_time, zone=ZoneInfo(game.zone)),
        "-# When one game is over or cancelled, I announce the next. To change or stop this, use `/series`.",
    ]


def confirm_dates(dates: Iterable[datetime], *, zone: ZoneInfo) -> str:
    """Return a sentence with the next few dates, given as local times."""
    shown = [format_timestamp(resolve(local, zone), "f") for local in islice(dates, _DATES_SHOWN)]
    return f"Next: {join_words(shown)}." if shown else "There are no more dates."


def describe_clock_changes(rule: Rule, *, start: datetime, zone: ZoneInfo) -> list[str]:
    """Return what happens on the dates of the next year on which the clocks skip or repeat the time."""
    return [_describe_change(local, change, zone) for local, change in _find_changes(rule, start=start, zone=zone)]


def require_time_between(rule: Rule, *, start: datetime, duration: timedelta) -> None:
    """Check that each game is over before the next one starts.

    Raises:
        UserError: it is not.
    """
    dates: Sequence[datetime] = list(islice(rule.local_times(start), _GAPS_CHECKED))
    shortest = min((later - earlier for earlier, later in pairwise(dates)), default=duration)
    if duration > shortest:
        raise UserError(
            f"A game lasts {format_duration(duration)}, but the next one starts after {format_duration(shortest)}. "
            "Choose a shorter duration, or let it repeat less often."
        )


def _find_changes(rule: Rule, *, start: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, ClockChange]]:
    for local in rule.local_times(start):
        if local > start + _CLOCKS_WATCHED:
            return
        if local != start and (change := find_clock_change(local, zone)) is not None:
            yield local, change


def _describe_change(local: datetime, change: ClockChange, zone: ZoneInfo) -> str:
    day = f"On {local.day} {local:%B %Y} the clocks"
    if change is ClockChange.SKIPPED:
        return f"⏰ {day} skip {local:%H:%M}, so that game starts at {resolve(local, zone).astimezone(zone):%H:%M}."
    return f"⏰ {day} show {local:%H:%M} twice, and that game starts at the first of them."
