"""What every cell is made of: who plays, who wants direct messages, and what the judge is shown of them."""

from __future__ import annotations

import random
from collections import Counter
from uuid import uuid4

from sandbox.discord.rules.messages import check_draft
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.entities import Channel
from shared.discord.ids import nonce_for
from tests.chaos import evidence, wishes
from tests.chaos.sessions import PEOPLE, REMINDED, rosters

MANY = 50


def test_nobody_has_more_sessions_than_discord_takes_messages_for_them_at_once():
    discord, seats = SandboxDiscord(), Counter[int]()
    for roster, _ in zip(rosters(random.Random(0)), range(REMINDED), strict=False):
        assert len(set(roster)) == len(roster)
        seats.update(roster)
    assert discord.limits.create_message is not None
    assert max(seats.values()) <= discord.limits.create_message.limit
    assert len(seats) == PEOPLE


def test_some_want_direct_messages_and_a_few_of_those_have_closed_them_or_were_never_met():
    for seed in range(MANY):
        drawn = wishes.draw(range(PEOPLE), random.Random(seed), unopened=3)
        assert (len(drawn.wanted), len(drawn.closed), len(drawn.unopened)) == (wishes.WANTED, wishes.CLOSED, 3)
        assert drawn.closed | drawn.unopened <= drawn.wanted
        assert not drawn.closed & drawn.changing
        assert (len(drawn.changing & drawn.wanted), len(drawn.changing - drawn.wanted)) == (1, 1)
        assert len(drawn.steady) == wishes.WANTED - wishes.CLOSED - 1


def test_the_dice_decide_who_wants_direct_messages():
    first, again, other = (wishes.draw(range(PEOPLE), random.Random(seed), unopened=3) for seed in (1, 1, 2))
    assert first == again != other


def test_the_judge_is_shown_where_a_message_stands_and_whom_it_reaches():
    discord, delivery = SandboxDiscord(), uuid4()
    world, [mia, jonas] = discord.world, [discord.world.user(name) for name in ("Mia", "Jonas")]

    def say(where: Channel, content: str) -> None:
        draft = check_draft({"content": content, "nonce": nonce_for(delivery), "enforce_nonce": True}, [])
        discord.engine.messaging.create(where, world.bot, draft)

    say(world.open_dm(mia), "starts soon")
    [direct] = evidence.made(discord)
    assert (direct.to, direct.people, direct.delivery_id) == (mia.id, {mia.id}, delivery)
    say(world.open_dm(mia), "starts soon")
    assert evidence.made(discord) == [direct]
    delivery, table = uuid4(), next(iter(world.channels.values()))
    say(table, f"<@{jonas.id}> starts soon")
    public = evidence.made(discord)[1]
    assert (public.to, public.people, public.channel_id) == (None, {jonas.id}, table.id)
