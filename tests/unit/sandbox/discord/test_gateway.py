"""The gateway by its frames: sessions, replay, close codes, and which events each client receives."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.faults.model import DropGateway, InvalidSession, Reconnect, RefuseGateway
from sandbox.discord.gateway.session import RESUME_WITHIN
from sandbox.discord.rate_limits import Window
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import Api, RawBot

GUILD_MEMBERS = 1 << 1
GUILD_MESSAGES = 1 << 9


async def test_a_bot_receives_its_user_and_guilds(bot: RawBot, sandbox: SandboxDiscord) -> None:
    assert bot.ready["user"]["username"] == "questbell"
    assert bot.ready["resume_gateway_url"] == sandbox.gateway_url
    assert [guild["unavailable"] for guild in bot.ready["guilds"]] == [True]
    assert sandbox.gateway.online


async def test_a_heartbeat_is_acknowledged(bot: RawBot) -> None:
    await bot.send(1, bot.seq)
    assert (await bot.frame())["op"] == 11


async def test_message_events_include_the_guild(bot: RawBot, api: Api, game_night: int) -> None:
    message = (await api.send(game_night, "hello")).body
    created = await bot.event("MESSAGE_CREATE")
    assert (created["id"], created["content"], created["guild_id"]) == (
        message["id"],
        "hello",
        bot.ready["guilds"][0]["id"],
    )
    await api("PATCH", f"/channels/{game_night}/messages/{message['id']}", {"content": "bye"})
    assert (await bot.event("MESSAGE_UPDATE"))["content"] == "bye"
    await api("DELETE", f"/channels/{game_night}/messages/{message['id']}")
    assert (await bot.event("MESSAGE_DELETE"))["id"] == message["id"]


async def test_message_content_is_empty_without_the_intent(bot: RawBot, sandbox: SandboxDiscord) -> None:
    bot_id = sandbox.world.bot.id
    sandbox.say("Mia", "a secret")
    assert (await bot.event("MESSAGE_CREATE"))["content"] == ""
    sandbox.say("Mia", f"hey <@{bot_id}>")
    assert (await bot.event("MESSAGE_CREATE"))["content"] == f"hey <@{bot_id}>"
    sandbox.world.open_dm("Mia")
    sandbox.say("Mia", "just us", where=sandbox.world.open_dm("Mia"))
    assert (await bot.event("MESSAGE_CREATE"))["content"] == "just us"


async def test_two_sessions_of_one_token_both_get_events(
    bot: RawBot, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with RawBot(sandbox, session) as second:
        await second.identify()
        sandbox.say("Mia", "twice")
        assert (await bot.event("MESSAGE_CREATE"))["id"] == (await second.event("MESSAGE_CREATE"))["id"]


async def test_an_event_is_not_sent_without_its_intent(sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> None:
    async with RawBot(sandbox, session) as quiet:
        await quiet.identify(intents=1)
        sandbox.say("Mia", "not for you")
        sandbox.world.add_channel(next(iter(sandbox.world.guilds.values())), "new")
        assert (await quiet.frame())["t"] == "CHANNEL_CREATE"


async def test_changes_of_the_world_are_sent(bot: RawBot, sandbox: SandboxDiscord) -> None:
    sandbox.world.deny("off-topic", "SEND_MESSAGES")
    assert (await bot.event("CHANNEL_UPDATE"))["permission_overwrites"][0]["id"] == str(sandbox.world.bot.id)
    sandbox.world.delete_channel("off-topic")
    assert (await bot.event("CHANNEL_DELETE"))["name"] == "off-topic"
    sandbox.world.add_guild("Second Hall", owner="Priya")
    assert (await bot.event("GUILD_CREATE"))["name"] == "Second Hall"


async def test_a_resumed_session_gets_missed_events_in_order(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with RawBot(sandbox, session) as first:
        await first.identify()
        session_id, seq = first.ready["session_id"], first.seq
    await sandbox.wait_for(lambda: not sandbox.gateway.online, timeout=WAIT_TIMEOUT)
    sandbox.say("Mia", "one")
    sandbox.say("Mia", "two")
    async with RawBot(sandbox, session) as again:
        await again.resume(session_id, seq)
        frames = [await again.frame() for _ in range(3)]
    assert [frame["t"] for frame in frames] == ["MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED"]
    assert [frame["s"] for frame in frames] == [seq + 1, seq + 2, seq + 3]


async def outlive_session(sandbox: SandboxDiscord, session: aiohttp.ClientSession, clock: ManualClock) -> RawBot:
    """Return a bot that has disconnected so long ago that its session cannot be resumed."""
    async with RawBot(sandbox, session) as bot:
        await bot.identify()
    await sandbox.wait_for(lambda: not sandbox.gateway.online, timeout=WAIT_TIMEOUT)
    clock.advance(RESUME_WITHIN + 1)
    return bot


async def test_a_session_cannot_be_resumed_after_minutes(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    first = await outlive_session(sandbox, session, clock)
    async with RawBot(sandbox, session) as again:
        await again.resume(first.ready["session_id"], first.seq)
        assert await again.frame() == {"op": 9, "d": False}


async def test_a_session_that_cannot_be_resumed_is_forgotten_with_the_next_one(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    await outlive_session(sandbox, session, clock)
    async with RawBot(sandbox, session) as second:
        await second.identify()
        assert list(sandbox.gateway.sessions) == [second.ready["session_id"]]


async def test_a_session_ends_when_the_bot_closes_it_properly(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with RawBot(sandbox, session) as first:
        await first.identify()
        await first.socket.close(code=1000)
        await sandbox.wait_for(lambda: not sandbox.gateway.sessions, timeout=WAIT_TIMEOUT)


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [
        (2, {"token": "wrong", "intents": 1}, 4004),
        (2, {"token": "right"}, 4013),
        (2, {"token": "right", "intents": GUILD_MEMBERS}, 4014),
        (2, {"token": "right", "intents": 1, "shard": [2, 2]}, 4010),
        (6, {"token": "wrong", "session_id": "x", "seq": 1}, 4004),
        (8, {}, 4003),
        (3, {"status": "x" * 5000}, 4002),
    ],
)
async def test_an_invalid_identify_is_closed_with_its_code(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, op: int, data: dict[str, object], code: int
) -> None:
    if data.get("token") == "right":
        data = {**data, "token": sandbox.token}
    async with RawBot(sandbox, session) as raw:
        await raw.send(op, data)
        assert await raw.close_code() == code


async def test_an_invalid_frame_closes_the_connection(bot: RawBot) -> None:
    await bot.send(99, {})
    assert await bot.close_code() == 4001


async def test_a_second_identify_is_closed(bot: RawBot, sandbox: SandboxDiscord) -> None:
    await bot.send(2, {"token": sandbox.token, "intents": 1})
    assert await bot.close_code() == 4005


async def test_a_resume_from_the_future_is_closed(
    bot: RawBot, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with RawBot(sandbox, session) as again:
        await again.resume(bot.ready["session_id"], 10_000)
        assert await again.close_code() == 4007


async def test_too_many_frames_close_the_connection(bot: RawBot) -> None:
    for _ in range(121):
        await bot.send(1, 0)
    assert await bot.close_code() == 4008


async def test_a_privileged_intent_is_allowed_when_the_application_has_it(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    sandbox.gateway.privileged_intents |= GUILD_MEMBERS
    async with RawBot(sandbox, session) as raw:
        await raw.identify(intents=1 | GUILD_MEMBERS)
        await raw.send(8, {"guild_id": raw.ready["guilds"][0]["id"], "query": "", "limit": 0})
        chunk = await raw.event("GUILD_MEMBERS_CHUNK")
        assert (chunk["chunk_index"], chunk["chunk_count"], len(chunk["members"])) == (0, 1, 9)


async def test_who_leaves_is_reported_to_those_who_asked_for_members(
    bot: RawBot, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    sandbox.gateway.privileged_intents |= GUILD_MEMBERS
    guild = next(iter(sandbox.world.guilds.values()))
    async with RawBot(sandbox, session) as raw:
        await raw.identify(intents=1 | GUILD_MEMBERS)
        sandbox.world.remove_member(guild, "Ben")
        left = await raw.event("GUILD_MEMBER_REMOVE")
        assert left["user"]["id"] == str(sandbox.world.user("Ben").id)
        sandbox.world.remove_member(guild, sandbox.world.bot)
        assert await raw.event("GUILD_DELETE") == {"id": str(guild.id)}
    assert (await bot.frame())["t"] == "GUILD_DELETE"


async def test_identifies_are_counted_and_exceeding_the_limit_resets_the_token(
    bot: RawBot, api: Api, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    limit = (await api("GET", "/gateway/bot")).body["session_start_limit"]
    assert (limit["total"], limit["remaining"]) == (1000, 999)
    sandbox.gateway.starts_left = 0
    async with RawBot(sandbox, session) as raw:
        await raw.send(2, {"token": sandbox.token, "intents": 1})
        assert await raw.close_code() == 4004
    assert await bot.close_code() == 4004
    assert (await api("GET", "/users/@me")).status == 401


async def test_identifying_too_soon_again_is_an_invalid_session(
    bot: RawBot, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    sandbox.limits.identify = Window(0, 5.0)
    async with RawBot(sandbox, session) as raw:
        await raw.send(2, {"token": sandbox.token, "intents": 1})
        assert await raw.frame() == {"op": 9, "d": False}


async def test_faults_apply_to_open_connections(
    bot: RawBot, sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    sandbox.faults.add(Reconnect())
    assert (await bot.frame())["op"] == 7
    sandbox.faults.add(InvalidSession(resumable=True))
    assert await bot.frame() == {"op": 9, "d": True}
    assert bot.ready["session_id"] in sandbox.gateway.sessions
    sandbox.faults.add(InvalidSession())
    assert await bot.frame() == {"op": 9, "d": False}
    assert not sandbox.gateway.sessions
    sandbox.faults.add(DropGateway())
    assert await bot.close_code() == 1006
    assert [fault.fired for fault in sandbox.faults.all()] == [1, 1, 1, 1]


async def test_connections_are_refused_while_the_fault_lasts(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    fault = sandbox.faults.add(RefuseGateway(), seconds=10)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await session.ws_connect(sandbox.gateway_url)
    assert fault.fired == 1
    clock.advance(11)
    async with RawBot(sandbox, session) as raw:
        await raw.identify()
