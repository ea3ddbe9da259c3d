"""Creating, reading, editing and deleting messages by HTTP."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.rate_limits import Window
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.snowflakes import created_at, snowflake_at
from tests.unit.sandbox.discord.clients import Api


async def test_a_message_is_accepted_shown_and_recorded_as_evidence(
    api: Api, sandbox: SandboxDiscord, game_night: int
) -> None:
    reply = await api.send(game_night, "Dragons at eight", embeds=[{"title": "Dragons"}], nonce="n1")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body["content"] == "Dragons at eight"
    assert reply.body["embeds"] == [{"title": "Dragons", "type": "rich"}]
    assert [message.content for message in sandbox.messages("game-night")] == ["Dragons at eight"]
    [accepted] = sandbox.evidence
    assert (accepted.kind, accepted.content, accepted.nonce) == ("create", "Dragons at eight", "n1")
    assert accepted.author == "questbell"
    assert not accepted.returned_earlier


async def test_a_message_id_carries_its_time(api: Api, game_night: int, clock: ManualClock) -> None:
    clock.advance(86_400)
    reply = await api.send(game_night)
    assert created_at(int(reply.body["id"])) == pytest.approx(clock.wall(), abs=5)


async def test_a_request_without_the_token_is_refused(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, game_night: int
) -> None:
    wrong = Api(sandbox, session)
    reply = await wrong("GET", f"/channels/{game_night}", headers={"Authorization": "Bot wrong"})
    assert (reply.status, reply.body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_an_unknown_route_is_a_404_and_is_recorded(api: Api, sandbox: SandboxDiscord) -> None:
    reply = await api("GET", "/guilds/1/scheduled-events")
    assert (reply.status, reply.body["code"]) == (404, 0)
    assert sandbox.unimplemented == ["GET /guilds/1/scheduled-events"]


async def test_a_body_that_is_not_json_is_rejected(api: Api, game_night: int) -> None:
    path = f"/channels/{game_night}/messages"
    reply = await api("POST", path, data=b"{", headers={"Content-Type": "application/json"})
    assert (reply.status, reply.body["code"]) == (400, 50109)
    reply = await api("POST", path, data=b"content=x", headers={"Content-Type": "text/plain"})
    assert (reply.status, reply.body["code"]) == (400, 50035)


async def test_history_is_paged_newest_first(api: Api, game_night: int) -> None:
    ids = [(await api.send(game_night, f"m{number}")).body["id"] for number in range(6)]

    async def page(query: str) -> list[str]:
        reply = await api("GET", f"/channels/{game_night}/messages?{query}")
        return [message["id"] for message in reply.body]

    assert await page("") == ids[::-1]
    assert await page("limit=2") == [ids[5], ids[4]]
    assert await page(f"before={ids[3]}&limit=2") == [ids[2], ids[1]]
    assert await page(f"after={ids[1]}&limit=2") == [ids[3], ids[2]]
    assert await page(f"around={ids[2]}&limit=3") == [ids[3], ids[2], ids[1]]
    assert (await api("GET", f"/channels/{game_night}/messages?limit=101")).status == 400


async def test_history_can_be_read_from_a_point_in_time(api: Api, game_night: int, clock: ManualClock) -> None:
    await api.send(game_night, "before")
    clock.advance(10)
    moment = snowflake_at(clock.wall() - 5)
    await api.send(game_night, "after")
    reply = await api("GET", f"/channels/{game_night}/messages?after={moment}")
    assert [message["content"] for message in reply.body] == ["after"]


async def test_an_edit_changes_only_the_given_fields(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    path = f"/channels/{game_night}/messages"
    message = (await api.send(game_night, "old", embeds=[{"title": "kept"}])).body
    edited = (await api("PATCH", f"{path}/{message['id']}", {"content": "new"})).body
    assert (edited["content"], edited["embeds"][0]["title"]) == ("new", "kept")
    assert edited["edited_timestamp"] is not None
    assert [record.kind for record in sandbox.evidence] == ["create", "edit"]


async def test_messages_of_others_cannot_be_edited(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    said = sandbox.say("Mia", "mine", where="game-night")
    reply = await api("PATCH", f"/channels/{game_night}/messages/{said.id}", {"content": "yours"})
    assert (reply.status, reply.body["code"]) == (403, 50005)
    reply = await api("DELETE", f"/channels/{game_night}/messages/{said.id}")
    assert (reply.status, reply.body["code"]) == (403, 50013)


async def test_a_deleted_message_is_unknown(api: Api, game_night: int) -> None:
    message = (await api.send(game_night)).body
    path = f"/channels/{game_night}/messages/{message['id']}"
    assert (await api("DELETE", path)).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        reply = await api(method, path, {"content": "x"} if method == "PATCH" else None)
        assert (reply.status, reply.body["code"]) == (404, 10008)


async def test_too_many_edits_of_an_old_message_are_refused(
    api: Api, sandbox: SandboxDiscord, game_night: int, clock: ManualClock
) -> None:
    sandbox.limits.old_edits = Window(2, 20.0)
    message = (await api.send(game_night)).body
    path = f"/channels/{game_night}/messages/{message['id']}"
    assert [(await api("PATCH", path, {"content": f"young {n}"})).status for n in range(3)] == [200, 200, 200]
    clock.advance(3601)
    assert [(await api("PATCH", path, {"content": f"old {n}"})).status for n in range(2)] == [200, 200]
    refused = await api("PATCH", path, {"content": "once more"})
    assert (refused.status, refused.body["code"]) == (429, 30046)
    assert refused.body["retry_after"] > 0


async def test_a_reply_names_the_message_it_answers(api: Api, game_night: int) -> None:
    first = (await api.send(game_night, "question")).body
    reply = (await api.send(game_night, "answer", message_reference={"message_id": first["id"]})).body
    assert (reply["type"], reply["referenced_message"]["content"]) == (19, "question")
    missing = await api.send(game_night, "answer", message_reference={"message_id": "1"})
    assert missing.body["errors"]["message_reference"]["_errors"][0]["code"] == "REPLIES_UNKNOWN_MESSAGE"


async def test_an_uploaded_file_can_be_downloaded(
    api: Api, session: aiohttp.ClientSession, sandbox: SandboxDiscord, game_night: int
) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", '{"attachments":[{"id":0,"filename":"game.ics"}]}')
    form.add_field("files[0]", b"BEGIN:VCALENDAR", filename="game.ics", content_type="text/calendar")
    reply = await api("POST", f"/channels/{game_night}/messages", data=form)
    [attachment] = reply.body["attachments"]
    assert (attachment["filename"], attachment["size"]) == ("game.ics", 15)
    async with session.get(attachment["url"]) as answer:
        assert await answer.read() == b"BEGIN:VCALENDAR"
        assert answer.headers["Content-Disposition"] == "attachment"


async def test_direct_messages_reach_one_user(api: Api, sandbox: SandboxDiscord) -> None:
    priya = sandbox.world.user("Priya")
    opened = await api("POST", "/users/@me/channels", {"recipient_id": str(priya.id)})
    again = await api("POST", "/users/@me/channels", {"recipient_id": str(priya.id)})
    assert opened.body["id"] == again.body["id"]
    assert opened.body["recipients"][0]["username"] == "priya"
    await api.send(opened.body["id"], "psst")
    assert [message.content for message in sandbox.dms("Priya")] == ["psst"]
    assert sandbox.evidence[-1].recipient_id == priya.id


async def test_opening_many_dm_channels_quickly_is_rejected(api: Api, sandbox: SandboxDiscord) -> None:
    sandbox.limits.open_dm = Window(2, 60.0)
    ids = [str(sandbox.world.user(name).id) for name in ("Mia", "Jonas", "Priya")]
    replies = [await api("POST", "/users/@me/channels", {"recipient_id": user_id}) for user_id in ids]
    assert [reply.status for reply in replies] == [200, 200, 403]
    assert replies[-1].body["code"] == 40003
    assert (await api("POST", "/users/@me/channels", {"recipient_id": ids[0]})).status == 200


async def test_closed_dms_have_their_own_error_code(api: Api, sandbox: SandboxDiscord) -> None:
    ben = sandbox.world.user("Ben")
    sandbox.world.close_dms("Ben")
    opened = await api("POST", "/users/@me/channels", {"recipient_id": str(ben.id)})
    assert opened.status == 200
    reply = await api.send(opened.body["id"])
    assert (reply.status, reply.body["code"]) == (403, 50007)
    sandbox.world.close_dms("Ben", closed=False)
    assert (await api.send(opened.body["id"])).status == 200
    sandbox.world.remove_member(next(iter(sandbox.world.guilds.values())), "Ben")
    assert (await api.send(opened.body["id"])).body["code"] == 50278


@pytest.mark.parametrize(
    ("lost", "method", "suffix", "code"),
    [
        ("VIEW_CHANNEL", "POST", "/messages", 50001),
        ("VIEW_CHANNEL", "GET", "", 50001),
        ("SEND_MESSAGES", "POST", "/messages", 50013),
        ("EMBED_LINKS", "POST", "/messages", 50013),
    ],
)
async def test_a_missing_permission_is_rejected_with_its_code(
    api: Api, sandbox: SandboxDiscord, game_night: int, lost: str, method: str, suffix: str, code: int
) -> None:
    sandbox.world.deny("game-night", lost)
    body = {"content": "x", "embeds": [{"title": "x"}]} if method == "POST" else None
    reply = await api(method, f"/channels/{game_night}{suffix}", body)
    assert (reply.status, reply.body["code"]) == (403, code)
    sandbox.world.restore("game-night")
    assert (await api(method, f"/channels/{game_night}{suffix}", body)).status == 200


async def test_without_the_permission_to_read_history_there_is_none(
    api: Api, sandbox: SandboxDiscord, game_night: int
) -> None:
    message = (await api.send(game_night)).body
    sandbox.world.deny("game-night", "READ_MESSAGE_HISTORY")
    assert (await api("GET", f"/channels/{game_night}/messages")).body == []
    assert (await api("GET", f"/channels/{game_night}/messages/{message['id']}")).body["code"] == 50013


async def test_a_deleted_channel_is_unknown(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    sandbox.world.delete_channel("game-night")
    reply = await api.send(game_night)
    assert (reply.status, reply.body["code"]) == (404, 10003)
    guild = next(iter(sandbox.world.guilds))
    assert [channel["name"] for channel in (await api("GET", f"/guilds/{guild}/channels")).body] == [
        "announcements",
        "off-topic",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"content": ["x"]},
        {"content": "x", "flags": "many"},
        {"content": "x", "nonce": {}},
        {"content": "x", "allowed_mentions": []},
        {"content": "x", "allowed_mentions": {"parse": "users"}},
        {"content": "x", "message_reference": {"message_id": "x"}},
        {"embeds": {"title": "x"}},
        {"embeds": [{"footer": "x"}]},
        {"embeds": [{"title": 5, "fields": ["x"]}]},
        {"content": "x", "components": [{"type": 1, "components": "x"}]},
        {"content": "x", "components": [5]},
        [],
    ],
)
async def test_a_malformed_body_is_rejected(api: Api, sandbox: SandboxDiscord, game_night: int, body: object) -> None:
    reply = await api("POST", f"/channels/{game_night}/messages", body)
    assert (reply.status, reply.body["code"]) == (400, 50035)
    assert sandbox.unimplemented == []


async def test_a_request_that_crashes_the_sandbox_is_recorded(
    api: Api, sandbox: SandboxDiscord, game_night: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox.engine.world, "permissions", None)
    assert (await api.send(game_night)).status == 500
    [broken] = sandbox.unimplemented
    assert "TypeError" in broken
