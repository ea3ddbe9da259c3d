"""What every scenario is made of: who plays, and who wants direct messages."""

from __future__ import annotations

import random
from collections import Counter

from sandbox.discord.server import SandboxDiscord
from tests.chaos import dm_preferences
from tests.chaos.games import CROWD, PEOPLE, SEATS, WITH_REMINDERS, plan_games, rosters

SEEDS = 50


def test_nobody_has_more_games_than_discord_accepts_messages_for_them_at_once():
    discord, games_of = SandboxDiscord(), Counter[int]()
    for roster, _ in zip(rosters(random.Random(0)), range(WITH_REMINDERS), strict=False):
        assert len(set(roster)) == len(roster)
        games_of.update(roster)
    assert discord.limits.create_message is not None
    assert max(games_of.values()) <= discord.limits.create_message.limit
    assert len(games_of) == PEOPLE


def test_some_games_have_slots_offers_and_a_minimum_and_a_seat_for_each_player():
    plans = plan_games(random.Random(0))
    with_slots = [(game, players) for game, players in plans if game.slots]
    with_offers = [(game, players) for game, players in plans if game.offer_minutes]
    with_minimum = [game for game, _ in plans if game.minimum_players]
    assert min(len(with_slots), len(with_offers), len(with_minimum)) >= 5
    assert any(game.slots for game, _ in with_offers)
    assert all(len(players) <= len(SEATS) for _, players in with_slots)
    assert all(game.slots or game.capacity == len(players) for game, players in with_offers)
    assert all(game.channel_id > CROWD and game.reminder_offsets for game, _ in with_slots + with_offers)
    assert all(game.minimum_minutes == max(game.reminder_offsets) for game in with_minimum)  # due with a reminder


def test_some_want_direct_messages_and_a_few_of_them_closed_them_or_have_no_channel_yet():
    for seed in range(SEEDS):
        drawn = dm_preferences.draw(range(PEOPLE), random.Random(seed), unopened=3)
        assert (len(drawn.wanted), len(drawn.closed)) == (dm_preferences.WANTED, dm_preferences.CLOSED)
        assert drawn.closed <= drawn.wanted
        assert len(drawn.unopened & drawn.wanted) >= 3  # and as many of all, who may be among them
        assert len(drawn.unopened) <= 6
        assert not drawn.closed & drawn.changing
        assert (len(drawn.changing & drawn.wanted), len(drawn.changing - drawn.wanted)) == (1, 1)
        assert len(drawn.certain) == dm_preferences.WANTED - dm_preferences.CLOSED - 1


def test_the_seed_decides_who_wants_direct_messages():
    first, same, other = (dm_preferences.draw(range(PEOPLE), random.Random(seed), unopened=3) for seed in (1, 1, 2))
    assert first == same != other
