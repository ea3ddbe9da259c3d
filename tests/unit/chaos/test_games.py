"""What every scenario is made of: who plays, and who wants direct messages."""

from __future__ import annotations

import random
from collections import Counter

from sandbox.discord.server import SandboxDiscord
from tests.chaos import dm_preferences
from tests.chaos.games import PEOPLE, WITH_REMINDERS, rosters

SEEDS = 50


def test_nobody_has_more_games_than_discord_accepts_messages_for_them_at_once():
    discord, games_of = SandboxDiscord(), Counter[int]()
    for roster, _ in zip(rosters(random.Random(0)), range(WITH_REMINDERS), strict=False):
        assert len(set(roster)) == len(roster)
        games_of.update(roster)
    assert discord.limits.create_message is not None
    assert max(games_of.values()) <= discord.limits.create_message.limit
    assert len(games_of) == PEOPLE


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
