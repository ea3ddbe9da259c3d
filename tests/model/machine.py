"""Everything that can happen, in any order: Hypothesis draws from it to find an order that breaks a guarantee."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from controllers.loops.sources import SOURCES
from controllers.resources.models import Source
from shared.models import GameStatus
from tests.model.broker import Fate
from tests.model.discord import Answer
from tests.model.environment import BOTS
from tests.model.judge import judge
from tests.model.world import WANTS_DM, World

MOST_GAMES = 2
PLAYERS = (1, 2, 3, WANTS_DM)
LEASES = [timedelta(seconds=seconds) for seconds in (0, 8, 9, 30)]
"""Before, at and after the end of a lease, within the nonce window."""
OUTAGES = [timedelta(minutes=minutes) for minutes in (12, 61, 240)]
"""Long enough for reminders to be overtaken, for games to have begun, and to be over."""
_MINUTE = timedelta(minutes=1)
SNOOZES = [15 * _MINUTE, 60 * _MINUTE]
_HELD = [Answer.HELD, Answer.DONE_HELD]
_ANSWERS = [answer for answer in Answer if answer is not Answer.RATE_LIMITED]  # the bot's own clock measures it
_SECOND = [Answer.HELD, Answer.LOST, Answer.DONE_LOST, Answer.POSTPONED, Answer.REFUSED, Answer.YES]
_LATE = [Answer.YES, Answer.REFUSED, Answer.GONE, Answer.POSTPONED, Answer.LOST]

starts = st.sampled_from([timedelta(hours=2), timedelta(hours=1), 30 * _MINUTE, 10 * _MINUTE, _MINUTE])
offsets = st.sampled_from([(60, 10), (10,), (60, 30, 10), (10, 0)])
players = st.sampled_from([(1,), (1, 2), (1, WANTS_DM), (WANTS_DM,), ()])
delays = st.sampled_from([timedelta(seconds=seconds) for seconds in (1, 8, 9, 59, 60, 61, 90, 120, 600, 3600)])
deaths = st.one_of(st.none(), st.none(), st.none(), st.integers(1, 30))
"""After how many statements a process dies, if at all."""
answers = st.lists(st.sampled_from(_ANSWERS + _HELD), min_size=1, max_size=3)
second_answers = st.lists(st.sampled_from(_SECOND), min_size=1, max_size=2)
late_answers = st.sampled_from(_LATE)
fates = st.lists(st.sampled_from(Fate), max_size=2)
which = st.integers(0, 9)


class Questbell(RuleBasedStateMachine):
    """Anything may happen, and the run is judged at the end. `seen` collects the transitions."""

    def __init__(self, world: World, runner: asyncio.Runner, seen: set[str]) -> None:
        super().__init__()
        self._world = world
        self._runner = runner
        self._seen = seen
        self._is_whole = True
        self._do(world.reset())

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self._runner.run(work)
        except BaseException:
            self._is_whole = False
            raise

    def _game(self, number: int) -> UUID:
        games = list(self._world.history.games)
        return games[number % len(games)]

    def teardown(self) -> None:
        if self._is_whole:
            self._do(self._world.settle_everything())
            judge(self._world.history)
            self._do(self._note_transitions())

    async def _note_transitions(self) -> None:
        self._seen |= await self._world.transitions()

    @initialize(starts_in=starts, offsets=offsets, players=players)
    def a_game_is_made(self, starts_in: timedelta, offsets: tuple[int, ...], players: tuple[int, ...]) -> None:
        self._do(self._world.actions.create(starts_in, offsets, players))

    @precondition(lambda self: len(self._world.history.games) < MOST_GAMES)
    @rule(starts_in=starts, offsets=offsets, players=players)
    def another_game_is_made(self, starts_in: timedelta, offsets: tuple[int, ...], players: tuple[int, ...]) -> None:
        self._do(self._world.actions.create(starts_in, offsets, players))

    @rule(which=which, starts_in=starts, back=st.booleans(), dies_after=deaths)
    def a_game_is_moved(self, which: int, starts_in: timedelta, back: bool, dies_after: int | None) -> None:
        history = self._world.history
        game = history.games[self._game(which)]
        first = history.states[game.id][0][1].scheduled_at - history.now
        if game.status is GameStatus.SCHEDULED:
            self._do(self._world.actions.reschedule(game.id, first if back else starts_in, dies_after=dies_after))

    @rule(which=which, dies_after=deaths)
    def a_game_is_cancelled(self, which: int, dies_after: int | None) -> None:
        self._do(self._world.actions.cancel(self._game(which), dies_after=dies_after))

    @rule(which=which, player=st.sampled_from(PLAYERS), dies_after=deaths)
    def the_roster_changes(self, which: int, player: int, dies_after: int | None) -> None:
        self._change_roster(self._game(which), player, dies_after=dies_after)

    @rule(which=which, capacity=st.sampled_from([0, 1, 2]), dies_after=deaths)
    def seats_are_limited(self, which: int, capacity: int, dies_after: int | None) -> None:
        game = self._world.history.games[self._game(which)]
        if game.status is GameStatus.SCHEDULED and (capacity == 0 or len(game.players) <= capacity):
            self._do(self._world.actions.limit_seats(game.id, capacity, dies_after=dies_after))

    @rule(which=which, minutes=st.sampled_from([0, 1, 20]), dies_after=deaths)
    def seats_are_offered(self, which: int, minutes: int, dies_after: int | None) -> None:
        game = self._world.history.games[self._game(which)]
        if game.status is GameStatus.SCHEDULED:
            self._do(self._world.actions.offer_seats(game.id, minutes, dies_after=dies_after))

    @rule(which=which, player=st.sampled_from(PLAYERS), dies_after=deaths)
    def a_seat_is_taken(self, which: int, player: int, dies_after: int | None) -> None:
        self._do(self._world.actions.take_seat(self._game(which), player, dies_after=dies_after))

    @rule(which=which, minutes=st.sampled_from([0, 5, 20, 90]), dies_after=deaths)
    def those_who_have_not_answered_are_nudged(self, which: int, minutes: int, dies_after: int | None) -> None:
        self._do(self._world.actions.nudge(self._game(which), minutes, dies_after=dies_after))

    @rule(which=which, player=st.sampled_from(PLAYERS), delay=st.sampled_from(SNOOZES), dies_after=deaths)
    def a_reminder_is_snoozed(self, which: int, player: int, delay: timedelta, dies_after: int | None) -> None:
        self._do(self._world.actions.snooze(self._game(which), player, delay, dies_after=dies_after))

    @rule(player=st.sampled_from(PLAYERS), minutes=st.sampled_from([None, 10, 45]), dies_after=deaths)
    def a_player_wants_an_extra_reminder(self, player: int, minutes: int | None, dies_after: int | None) -> None:
        self._do(self._world.actions.set_extra_reminder(player, minutes, dies_after=dies_after))

    def _change_roster(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> None:
        actions, players = self._world.actions, self._world.history.games[game_id].players
        change = actions.leave if player in (*players, *self._world.history.games[game_id].waiting) else actions.join
        self._do(change(game_id, player, dies_after=dies_after))

    @rule(delay=delays)
    def time_passes(self, delay: timedelta) -> None:
        self._do(self._world.pass_time(delay))

    @precondition(lambda self: self._world.history.has_open_rows)
    @rule(source=st.sampled_from(Source), fates=fates, dies_after=deaths)
    def something_comes_due(self, source: Source, fates: list[Fate], dies_after: int | None) -> None:
        self._do(self._world.pass_time_to_the_next_attempt())
        self._do(self._world.controllers.dispatch(SOURCES[source], fates=fates, dies_after=dies_after))

    @precondition(lambda self: self._world.history.has_open_rows)
    @rule(by=st.sampled_from(BOTS), answers=answers, dm_answers=answers, dies_after=deaths)
    def the_next_row_is_handled(self, by: str, **options: Any) -> None:
        ready = list(self._world.broker.ready)
        self._do(self._world.pass_time_to_the_next_attempt())
        self._do(self._world.controllers.dispatch())
        new = [message for message in self._world.broker.ready if message not in ready]
        if new:
            self._do(self._world.bots.handle(new[0], by=by, **options))

    @precondition(lambda self: self._world.broker.ready)
    @rule(
        which=which,
        by=st.sampled_from(BOTS),
        answers=answers,
        dm_answers=answers,
        dies_after=deaths,
        dies_before_the_ack=st.sampled_from([False, False, False, True]),
    )
    def a_message_is_handled(self, which: int, by: str, **options: Any) -> None:
        ready = self._world.broker.ready
        self._do(self._world.bots.handle(ready[which % len(ready)], by=by, **options))

    @precondition(lambda self: len(self._world.broker.ready) > 1)
    @rule(by=st.sampled_from(BOTS), answers=answers, dm_answers=answers)
    def messages_are_handled_at_once(self, by: str, **options: Any) -> None:
        self._do(self._world.bots.handle(*self._world.concurrent_messages(by), by=by, **options))

    @precondition(lambda self: self._world.broker.ready)
    @rule()
    def a_message_is_repeated(self) -> None:
        self._world.broker.repeat(times=2)

    @precondition(lambda self: self._world.history.has_open_rows and not self._world.bots.held)
    @rule(
        first=st.sampled_from([*_HELD, Answer.POSTPONED, Answer.LOST]),
        delay=st.sampled_from(LEASES),
        player=st.none() | st.sampled_from(PLAYERS),
        answers=second_answers,
        late=late_answers,
    )
    def two_bots_handle_the_same_message(
        self, first: Answer, delay: timedelta, player: int | None, answers: list[Answer], late: Answer
    ) -> None:
        self._do(self._world.pass_time_to_the_next_attempt())
        self._do(self._world.controllers.dispatch())
        for by, message, given in zip(BOTS, self._world.broker.repeat(times=2), ([first], answers), strict=False):
            self._do(self._world.bots.handle(message, by=by, answers=given, dm_answers=given))
            self._do(self._world.pass_time(delay))
            if player is not None:
                self._change_roster(message.event.game_id, player)
        if BOTS[0] in self._world.bots.held:
            self._do(self._world.bots.answer_held(BOTS[0], late))

    @precondition(lambda self: self._world.history.has_open_rows)
    @rule(delay=st.sampled_from(OUTAGES), by=st.sampled_from(BOTS), answers=answers)
    def an_outage_ends(self, delay: timedelta, by: str, answers: list[Answer]) -> None:
        self._do(self._world.pass_time(delay))
        for source in SOURCES.values():
            self._do(self._world.controllers.dispatch(source))
        if messages := self._world.concurrent_messages(by):
            self._do(self._world.bots.handle(*messages, by=by, answers=answers))

    @precondition(lambda self: self._world.bots.held)
    @rule(which=which, late=late_answers)
    def a_request_is_answered_late(self, which: int, late: Answer) -> None:
        held = self._world.bots.held
        self._do(self._world.bots.answer_held(held[which % len(held)], late))

    @precondition(lambda self: self._world.bots.held)
    @rule()
    def a_bot_is_killed_while_it_waits(self) -> None:
        self._do(self._world.bots.kill(self._world.bots.held[0]))

    @precondition(lambda self: self._world.broker.dead)
    @rule(fates=fates, dies_after=deaths)
    def dead_letters_are_handled(self, fates: list[Fate], dies_after: int | None) -> None:
        self._do(self._world.controllers.reconcile(fates=fates, dies_after=dies_after))

    @precondition(lambda self: self._world.broker.ready)
    @rule()
    def the_broker_loses_its_disk(self) -> None:
        self._do(self._world.controllers.lose_the_broker())
