"""The history of each game that a verdict names, so that a person can find out why after a run that cannot be repeated.

A seed repeats what a run does, but not when the processes do it. So everything that the verdict was decided by is
written down while it is at hand: the states of the game, its rows, the attempts to deliver them, and what Discord
accepted, in one list with the oldest first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sandbox.oracle.facts import DeliveryRow, Evidence, GameHistory, GameState, NotificationRow, ObservedMessage
from sandbox.oracle.verdict import Verdict

_ID_LENGTH = 6
"""Of the end of an id. The beginning is its time, which the rows of a game share."""


@dataclass(frozen=True)
class GameReport:
    """What is known of the games with one title: those of a series share it. `path` is its file, None without one."""

    title: str
    text: str
    path: Path | None = None

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") + ".txt"


def report_games(verdict: Verdict, evidence: Evidence) -> list[GameReport]:
    """Return a report about each game that a problem names, in the order of the problems."""
    titles = {game.title for game in evidence.facts.games.values()}
    named = dict.fromkeys(title for problem in verdict.problems for title in sorted(titles) if title in problem)
    return [GameReport(title, _describe(title, evidence)) for title in named]


def write_reports(reports: Collection[GameReport], directory: Path) -> list[GameReport]:
    """Write reports to files in an existing directory, and return them with their paths."""
    written = [replace(report, path=directory / report.file_name) for report in reports]
    for report in written:
        (directory / report.file_name).write_text(report.text)
    return written


def _describe(title: str, evidence: Evidence) -> str:
    games = [game for game in evidence.facts.games.values() if game.title == title]
    entries = [entry for game in games for entry in _list_entries(game, evidence)]
    entries += [(message.at, _describe_message(message, None)) for message in _unclaimed(title, evidence)]
    entries.sort(key=lambda entry: entry[0])  # those of one moment stay in their order
    lines = [_describe_game(game) for game in games]
    if evidence.fault_ended_at is not None:
        lines.append(f"The fault ended at {_time(evidence.fault_ended_at)}.")
    lines += ["", *(f"{_time(at)}  {what}" for at, what in entries), ""]
    lines += [f"At the end, its announcement is: {_final_text(game, evidence)}" for game in games]
    return "\n".join(lines) + "\n"


def _describe_game(game: GameHistory) -> str:
    offsets = ", ".join(map(str, game.offsets)) or "none"
    return (
        f"{game.title} [{_short(game.id)}] on {game.final.starts_at:%Y-%m-%d}, host {game.host_id}, "
        f"reminders {offsets}, duration {game.duration}"
    )


def _list_entries(game: GameHistory, evidence: Evidence) -> Iterator[tuple[datetime, str]]:
    """Yield everything about a game with its time. A row stands where it was written, if that is known."""
    facts, name = evidence.facts, _short(game.id)
    for state in game.states:
        yield state.at, f"state     [{name}] {_describe_state(state)}"
    for transition in facts.transitions:
        if transition.game_id == game.id:
            yield transition.due_at, f"status    [{name}] {transition.target} due, {transition.outcome or 'open'}"
    rows = {row.id: row for row in facts.notifications.values() if row.game_id == game.id}
    for row in rows.values():
        yield row.created_at or row.due_at, f"row       [{name}] {_describe_row(row)}"
    deliveries = {delivery.id: delivery for delivery in facts.deliveries.values() if delivery.notification_id in rows}
    for delivery in deliveries.values():
        row = rows[delivery.notification_id]
        for number, attempt in enumerate(delivery.attempts, start=1):
            yield attempt, f"attempt   {number} of {_describe_delivery(delivery, row)}"
        if not delivery.attempts:
            yield max(row.created_at or row.due_at, row.due_at), f"delivery  {_describe_delivery(delivery, row)}"
    for message in evidence.messages:
        if message.delivery_id in deliveries:
            yield message.at, _describe_message(message, rows[deliveries[message.delivery_id].notification_id])


def _describe_state(state: GameState) -> str:
    seats = f" of {state.capacity}" if state.capacity is not None else ""
    players = " ".join(_describe_seat(user, state) for user in sorted(state.players)) or "nobody"
    parts = [str(state.status), f"starts {_time(state.starts_at)}", f"players{seats}: {players}"]
    if state.slots:
        parts.append("slots: " + " ".join(f"{slot.name} {slot.capacity or 'unlimited'}" for slot in state.slots))
    if state.waiting:
        parts.append("waiting: " + " ".join(_describe_seat(user, state) for user in state.waiting))
    if state.answered:
        parts.append(f"maybe or no: {_people(state.answered)}")
    return ", ".join(parts)


def _describe_seat(user: int, state: GameState) -> str:
    slot = f"/{state.chosen[user]}" if user in state.chosen else ""
    return f"{user}{slot}(offered until {_time(state.offers[user])})" if user in state.offers else f"{user}{slot}"


def _describe_row(row: NotificationRow) -> str:
    about = [_name(row)]
    about += [f"{row.offset} minutes before"] if row.offset is not None else []
    about += [f"for {row.user_id}"] if row.user_id is not None else []
    about += [f"about {_people(row.user_ids)}"] if row.user_ids else []
    about += [f"of the start at {_time(row.starts_at)}", f"due {_time(row.due_at)}"]
    settled = "" if row.settled_at is None else f" at {_time(row.settled_at)}"
    detail = "" if row.detail is None else f" ({row.detail})"
    return ", ".join(about) + f": {row.outcome or 'open'}{settled}{detail}"


def _describe_delivery(delivery: DeliveryRow, row: NotificationRow) -> str:
    recipient = f"the channel for {_people(delivery.mentions)}" if delivery.user_id is None else str(delivery.user_id)
    message = "" if delivery.message_id is None else f" as message {delivery.message_id}"
    return f"{_name(row)} to {recipient}: {delivery.state}{message}"


def _describe_message(message: ObservedMessage, row: NotificationRow | None) -> str:
    what = "what nothing asked for" if row is None else _name(row)
    where = f"to {message.user_id}" if message.user_id is not None else f"in channel {message.channel_id}"
    return f"message   {message.message_id} {where} of {what}, mentions {_people(message.mentioned)}: {message.text!r}"


def _unclaimed(title: str, evidence: Evidence) -> list[ObservedMessage]:
    """Return the messages that name a game and that no row asked for."""
    known = evidence.facts.deliveries
    return [message for message in evidence.messages if message.delivery_id not in known and title in message.text]


def _final_text(game: GameHistory, evidence: Evidence) -> str:
    return "none" if game.message_id is None else evidence.final_text.get(game.message_id, "deleted")


def _name(row: NotificationRow) -> str:
    return f"{row.kind} [{_short(row.id)}]"


def _short(id_: UUID) -> str:
    return id_.hex[-_ID_LENGTH:]


def _people(users: Collection[int]) -> str:
    return " ".join(map(str, sorted(users))) or "nobody"


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S.%f}"[:-3]
