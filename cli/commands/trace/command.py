"""Prints the history of a game, notification or status change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType

from cli.commands.connections import log_to_stderr, open_sessions
from cli.commands.output import safe_text, show
from cli.commands.trace.lookup import load_trace_data
from cli.commands.trace.timeline import DeliveryTrace, GameChange, RowTrace, TraceReport, build_report
from shared import database, process
from shared.formatting import format_offset, format_relative, format_utc, plural
from shared.settings import Timing, load


def trace(id_text: str, *, as_json: bool = False) -> None:
    """Show the history for an id of any kind."""
    process.run(_trace(id_text, as_json=as_json))


async def _trace(id_text: str, *, as_json: bool) -> None:
    log_to_stderr()
    timing = load(Timing)
    async with open_sessions() as sessions, database.transaction(sessions) as session:
        data = await load_trace_data(session, id_text)
    show(build_report(data, timing=timing), _render, as_json=as_json)


def _render(report: TraceReport) -> Iterator[RenderableType]:
    game, starts = report.game, _when(report.game.scheduled_at, report.now)
    announcement = f"announcement {game.message_id}" if game.message_id else "no announcement yet"
    yield safe_text(game.title, "bold")
    yield safe_text(f"game {game.id}: {game.status}, version {game.version}, starts {starts}")
    yield safe_text(f"guild {game.guild_id}, channel {game.channel_id}, {announcement}")
    if game.series_id is not None:
        yield safe_text(f"series {game.series_id}: {game.series_rule}, of {game.occurrence:%Y-%m-%d %H:%M} {game.zone}")
    for change in report.history:
        yield safe_text(f"  {format_utc(change.at)}  {_describe_change(change)}")
    for row in report.rows:
        yield safe_text("")
        yield from _render_row(row, report.now)
    if not report.rows:
        yield safe_text("No notifications or status changes.")


def _describe_change(change: GameChange) -> str:
    actor = "the bot" if change.actor_id is None else f"user {change.actor_id}"
    about = "" if change.user_id is None else f" user {change.user_id}"
    fields = f" {', '.join(change.changed)}" if change.changed else ""
    return f"{change.action}{about}{fields} by {actor}"


def _render_row(row: RowTrace, now: datetime) -> Iterator[RenderableType]:
    yield safe_text(f"{row.label}: {row.explanation.state}", "bold")
    yield safe_text(f"{row.table} {row.id}, {plural(row.attempts, 'attempt')}")
    yield safe_text(f"  {'time (UTC)':23}  {'from due':>14}  event", "dim")
    for event in row.timeline:
        yield safe_text(f"  {format_utc(event.at)}  {format_offset(event.offset_seconds):>14}  {event.event}")
    for delivery in row.deliveries:
        yield from (safe_text(f"  {line}") for line in _describe_delivery(delivery))
    yield from (safe_text(f"  {line}") for line in _describe_state(row, now))


def _describe_delivery(delivery: DeliveryTrace) -> Iterator[str]:
    message = f", message {delivery.message_id}" if delivery.message_id else ""
    lease = f", lease until {format_utc(delivery.lease_until)}" if delivery.lease_until else ""
    yield (
        f"{delivery.recipient_kind} {delivery.recipient_id}, mentioning {plural(len(delivery.mentions), 'player')}: "
        f"{delivery.state}, {plural(delivery.attempts, 'attempt')}{message}{lease}"
    )
    yield f"  delivery {delivery.id}, nonce {delivery.nonce}"
    error = f" Last error: {delivery.last_error}" if delivery.last_error else ""
    yield f"  {delivery.explanation}{error}"


def _describe_state(row: RowTrace, now: datetime) -> Iterator[str]:
    explanation = row.explanation
    yield explanation.summary
    if row.outcome_detail:
        yield f"Reason: {row.outcome_detail}"
    if explanation.next_step is not None and explanation.next_at is not None:
        when = f" at {_when(explanation.next_at, now)}" if explanation.next_at > now else ""
        yield f"Next{when}: {explanation.next_step}"
    if row.expires_at is not None:
        yield f"Expires: {_when(row.expires_at, now)}"
    for parked_id in row.parked_messages:
        yield f"A message of it could not be read and is parked: questbell dead-letters show {parked_id}"


def _when(at: datetime, now: datetime) -> str:
    return f"{format_utc(at)} UTC ({format_relative((at - now).total_seconds())})"
