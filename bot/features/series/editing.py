"""Changes a series with the options of `/series edit`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.editing import (
    EditDetailsOptions,
    parse_details,
    require_minimum_of_edit,
    require_nudge_of_edit,
)
from bot.features.games.quotas import require_quota
from bot.features.repeats import confirm_dates, describe_clock_changes, read_repeat, require_time_between
from bot.features.rights import require_host
from bot.features.series.lookup import find_series_by_text
from bot.features.times import parse_clock
from bot.rendering.formatting import format_title
from shared.editing import EditResult
from shared.models import GameSeries, SeriesState
from shared.series.editing import SeriesEdit, edit_series
from shared.series.lifecycle import list_next
from shared.series.rule import Rule

NO_REGULARS = "none"
"""What a host enters to remove the regulars."""
_MOST_REGULARS = 100
_MENTION = re.compile(r"<@!?(\d{15,20})>")


@dataclass(frozen=True, kw_only=True)
class EditSeriesOptions(EditDetailsOptions):
    """The options of `/series edit`."""

    series: str
    time: str | None
    repeat: str | None
    open_at_once: int | None
    carry_over: bool | None
    regulars: str | None


async def edit_series_from_options(session: AsyncSession, interaction: Interaction, options: EditSeriesOptions) -> str:
    """Change the series and its open games, and return the confirmation.

    Raises:
        UserError: an option is invalid, or the user may not change this series.
    """
    series = await find_series_by_text(session, options.series, guild_id=interaction.guild_id or 0)
    await require_host(session, interaction, series, verb="change")
    edit = await _parse_options(session, series, options)
    if edit == SeriesEdit():
        raise UserError("Nothing to change. Fill in at least one more option, such as `time` or `repeat`.")
    added = 0 if edit.open_ahead is None else edit.open_ahead - series.open_ahead
    advice = "enter a smaller number for `open-at-once`"
    await require_quota(session, interaction, host_id=series.host_id, added=added, instead=advice)
    for changed in (series, *(await list_next(session, series)).values()):
        if changed is not None:
            require_minimum_of_edit(changed, edit)
            require_nudge_of_edit(interaction, changed, edit)
    match await edit_series(session, series.id, edit, actor_id=interaction.user.id):
        case EditResult.IN_THE_PAST:
            raise UserError(
                "The next game would start in the past. Enter a later time, or move that game with `/game edit` first."
            )
        case EditResult.TOO_FEW_SEATS:
            raise UserError(
                "A game that is announced already has more players. Allow more, or ask someone to leave first."
            )
        case EditResult.SLOT_TAKEN:
            raise UserError(
                "A game that is announced has players in a slot that would be missing or too small, or somebody waits "
                "for it. Keep the slot in the list, or ask them to choose another one first."
            )
    return await _confirm(session, series, edit)


async def _confirm(session: AsyncSession, series: GameSeries, edit: SeriesEdit) -> str:
    rule, zone = Rule.parse(series.rule), ZoneInfo(series.zone)
    dates = await list_next(session, series)
    moved = edit.clock is not None and any(game is not None for game in dates.values())
    lines = [
        f"{format_title(series.title)} is changed from now on, with the games that are announced already. "
        f"{rule.describe()} at {series.local_start:%H:%M}. {confirm_dates(dates, zone=zone)}"
        + (" I'm letting everyone know the new time." if moved else "")
    ]
    if edit.clock is not None or edit.rule is not None:
        lines.extend(describe_clock_changes(rule, start=series.local_start, zone=zone))
    if edit.rule is not None and any(game is not None for game in dates.values()):
        lines.append("-# A game that is announced already stays on its day. To move it, use `/game edit`.")
    if series.state is not SeriesState.ACTIVE:
        lines.append(f"-# The series is {series.state.value}. To go on with it, use `/series resume`.")
    return "\n".join(lines)


async def _parse_options(session: AsyncSession, series: GameSeries, options: EditSeriesOptions) -> SeriesEdit:
    rule = None if options.repeat is None else await _parse_rule(session, series, options.repeat)
    details = parse_details(options)
    duration = details["duration"]
    if duration is not None or rule is not None:
        applied = rule or Rule.parse(series.rule)
        require_time_between(applied, start=series.local_start, duration=duration or series.duration)
    return SeriesEdit(
        clock=None if options.time is None else parse_clock(options.time, zone=series.zone),
        rule=rule,
        open_ahead=options.open_at_once,
        carries_roster=options.carry_over,
        regulars=None if options.regulars is None else parse_regulars(options.regulars),
        **details,
    )


async def _parse_rule(session: AsyncSession, series: GameSeries, text: str) -> Rule:
    today = datetime.now(ZoneInfo(series.zone)).date()
    earliest = datetime.combine(max(series.planned_until.date(), today), series.planned_until.time())
    start = next(iter(await list_next(session, series, limit=1)), earliest)
    rule = read_repeat(text, start=start)
    if len(list(islice(rule.local_times(start), 2))) < 2:
        raise UserError("The series would end with its first game. Enter a later last day, or use `/series end`.")
    return rule


def parse_regulars(text: str) -> tuple[int, ...]:
    """Return the users whom a text mentions, in its order.

    Raises:
        UserError: it mentions nobody, or has other words.
    """
    if text.strip().casefold() == NO_REGULARS:
        return ()
    users = tuple(dict.fromkeys(int(number) for number in _MENTION.findall(text)))
    if not users or _MENTION.sub("", text).strip(" ,;&") not in ("", "and"):
        raise UserError(f"Mention the players who always play, such as `@Aiko @Ben`, or enter `{NO_REGULARS}`.")
    if len(users) > _MOST_REGULARS:
        raise UserError(f"A series has at most {_MOST_REGULARS} regulars. Mention fewer.")
    return users
