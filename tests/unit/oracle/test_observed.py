"""What the oracle sees of the sandbox Discord."""

from __future__ import annotations

from uuid import uuid4

from sandbox.discord.rules.messages import check_draft
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.entities import Channel
from sandbox.oracle.observed import created_messages
from shared.discord.ids import nonce_for


def test_the_oracle_sees_where_a_message_is_and_whom_it_notifies():
    discord, delivery = SandboxDiscord(), uuid4()
    world, [mia, jonas] = discord.world, [discord.world.user(name) for name in ("Mia", "Jonas")]

    def send(channel: Channel, content: str) -> None:
        draft = check_draft({"content": content, "nonce": nonce_for(delivery), "enforce_nonce": True}, [])
        discord.engine.messaging.create(channel, world.bot, draft)

    send(world.open_dm(mia), "starts soon")
    [direct] = created_messages(discord)
    assert (direct.user_id, direct.recipients, direct.delivery_id) == (mia.id, {mia.id}, delivery)
    send(world.open_dm(mia), "starts soon")
    assert created_messages(discord) == [direct]
    delivery, table = uuid4(), next(iter(world.channels.values()))
    send(table, f"<@{jonas.id}> starts soon")
    public = created_messages(discord)[1]
    assert (public.user_id, public.recipients, public.channel_id) == (None, {jonas.id}, table.id)
