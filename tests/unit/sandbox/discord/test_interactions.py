"""Commands, buttons and modals, answered by plain requests: what Discord allows, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.interactions import invoke
from sandbox.discord.interactions.interaction import AnswerKind, InteractionResult
from sandbox.discord.rules.errors import UsageError
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import Api, RawBot, Reply

Json = dict[str, Any]

GAME = {
    "name": "game",
    "description": "Sessions",
    "options": [
        {
            "type": 1,
            "name": "create",
            "description": "Plan one",
            "options": [
                {"type": 3, "name": "title", "description": "What", "required": True, "max_length": 20},
                {"type": 4, "name": "seats", "description": "How many", "min_value": 1, "max_value": 9},
                {"type": 6, "name": "host", "description": "Who"},
                {"type": 3, "name": "when", "description": "When", "autocomplete": True},
                {"type": 3, "name": "size", "description": "Size", "choices": [{"name": "Large", "value": "l"}]},
            ],
        }
    ],
}
JOIN = [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Join", "custom_id": "join"}]}]


@pytest.fixture
async def commands(api: Api, sandbox: SandboxDiscord) -> None:
    assert (await api("PUT", f"/applications/{sandbox.world.bot.id}/commands", [GAME])).status == 200


async def answer(api: Api, interaction: Json, kind: int, data: Json | None = None, query: str = "") -> Reply:
    path = f"/interactions/{interaction['id']}/{interaction['token']}/callback{query}"
    return await api("POST", path, {"type": kind, "data": data or {}})


class Hand:
    """A person's deed under way, and the interaction that the bot got for it."""

    def __init__(self, action: asyncio.Task[InteractionResult], interaction: Json) -> None:
        self.action = action
        self.interaction = interaction

    async def result(self) -> InteractionResult:
        async with asyncio.timeout(WAIT_TIMEOUT):
            return await self.action


async def begin(bot: RawBot, action: Any) -> Hand:
    task: asyncio.Task[InteractionResult] = asyncio.ensure_future(action)
    await asyncio.sleep(0)
    if task.done():
        task.result()
    return Hand(task, await bot.event("INTERACTION_CREATE"))


async def create(bot: RawBot, sandbox: SandboxDiscord, who: str = "Mia", **options: Any) -> Hand:
    return await begin(bot, sandbox.slash(who, "game create", **{"title": "Dragons", **options}))


@pytest.mark.usefixtures("commands")
class TestCommands:
    async def test_the_bot_gets_the_options_that_the_user_entered(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox, seats=4, host="Jonas", size="Large")
        jonas = str(sandbox.world.user("Jonas").id)
        assert hand.interaction["data"]["options"] == [
            {
                "name": "create",
                "type": 1,
                "options": [
                    {"name": "title", "type": 3, "value": "Dragons"},
                    {"name": "seats", "type": 4, "value": 4},
                    {"name": "host", "type": 6, "value": jonas},
                    {"name": "size", "type": 3, "value": "l"},
                ],
            }
        ]
        assert hand.interaction["data"]["resolved"]["users"][jonas]["global_name"] == "Jonas"
        assert hand.interaction["member"]["user"]["username"] == "mia"
        await answer(api, hand.interaction, 4, {"content": "done"})
        assert (await hand.result()).content == "done"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"title": None}, "needs the option 'title'"),
            ({"seats": 10}, "between 1 and 9"),
            ({"seats": "many"}, "must be a number"),
            ({"host": "Nobody"}, "there is no user 'Nobody'"),
            ({"size": "Tiny"}, "must be one of Large"),
            ({"title": "x" * 21}, "0 to 20 characters"),
            ({"colour": "red"}, "has no option 'colour'"),
        ],
    )
    async def test_options_that_discord_s_client_would_not_send_are_rejected(
        self, sandbox: SandboxDiscord, options: Json, reason: str
    ) -> None:
        with pytest.raises(UsageError, match=reason):
            await sandbox.slash("Mia", "game create", **{"title": "Dragons", **options})

    async def test_an_unknown_command_is_rejected_with_the_known_ones(self, sandbox: SandboxDiscord) -> None:
        with pytest.raises(UsageError, match="there is /game create"):
            await sandbox.slash("Mia", "game destroy")

    async def test_an_answer_creates_a_message_that_names_the_command(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        reply = await answer(api, hand.interaction, 4, {"content": "done", "components": JOIN}, "?with_response=1")
        message = reply.body["resource"]["message"]
        assert (message["interaction"]["name"], message["type"]) == ("game create", 20)
        assert reply.body["interaction"]["response_message_id"] == message["id"]
        result = await hand.result()
        assert (result.kind, str(result.message and result.message.id)) == (AnswerKind.MESSAGE, message["id"])

    async def test_an_answer_parses_only_users_by_default(self, bot: RawBot, api: Api, sandbox: SandboxDiscord) -> None:
        hand = await create(bot, sandbox)
        await answer(api, hand.interaction, 4, {"content": f"@everyone <@{sandbox.world.user('Ben').id}>"})
        await hand.result()
        assert not sandbox.evidence[-1].pings_everyone
        assert sandbox.evidence[-1].pinged_users == (sandbox.world.user("Ben").id,)

    async def test_an_answer_that_was_deferred_notifies_nobody(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        await answer(api, hand.interaction, 5)
        original = f"/webhooks/{sandbox.world.bot.id}/{hand.interaction['token']}/messages/@original"
        await api("PATCH", original, {"content": f"<@{sandbox.world.user('Ben').id}>"})
        result = await hand.result()
        assert result.message is not None and result.message.pings.users == (sandbox.world.user("Ben").id,)
        assert not any(accepted.pinged_users for accepted in sandbox.evidence)

    async def test_only_the_first_answer_counts(self, bot: RawBot, api: Api, sandbox: SandboxDiscord) -> None:
        hand = await create(bot, sandbox)
        assert (await answer(api, hand.interaction, 4, {"content": "one"})).status == 204
        second = await answer(api, hand.interaction, 4, {"content": "two"})
        assert (second.status, second.body["code"]) == (400, 40060)
        assert [message.content for message in sandbox.messages("game-night")] == ["one"]

    async def test_after_three_seconds_an_answer_is_too_late(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, clock: ManualClock
    ) -> None:
        hand = await create(bot, sandbox)
        clock.advance(3.1)
        late = await answer(api, hand.interaction, 4, {"content": "late"})
        assert (late.status, late.body["code"]) == (404, 10062)
        assert sandbox.messages("game-night") == []
        hand.action.cancel()

    async def test_a_user_sees_that_the_bot_did_not_respond(
        self, bot: RawBot, sandbox: SandboxDiscord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(invoke, "ANSWER_WITHIN", 0.05)
        result = await (await create(bot, sandbox)).result()
        assert not result.answered
        assert result.interaction.failed

    @pytest.mark.parametrize("kind", [1, 6, 7, 8, 10, None])
    async def test_an_answer_must_be_valid_for_its_interaction(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, kind: Any
    ) -> None:
        hand = await create(bot, sandbox)
        reply = await answer(api, hand.interaction, kind, {"content": "x"})
        assert (reply.status, reply.body["code"]) == (400, 50035)
        assert "type" in reply.body["errors"]
        hand.action.cancel()

    async def test_an_invalid_answer_names_the_field_and_can_be_repeated(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        reply = await answer(api, hand.interaction, 4, {"content": "x" * 2001})
        assert "_errors" in reply.body["errors"]["data"]["content"]
        await answer(api, hand.interaction, 4, {"content": "short"})
        assert (await hand.result()).content == "short"

    async def test_an_ephemeral_answer_is_visible_to_one_user(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        await answer(api, hand.interaction, 4, {"content": "psst", "flags": 64, "components": JOIN})
        result = await hand.result()
        assert result.ephemeral
        assert sandbox.messages("game-night") == []
        assert result.message is not None
        with pytest.raises(UsageError, match="Ben can't see message"):
            await sandbox.click("Ben", result.message.id, "join")

    async def test_a_deferred_answer_is_filled_in_later(self, bot: RawBot, api: Api, sandbox: SandboxDiscord) -> None:
        hand = await create(bot, sandbox)
        await answer(api, hand.interaction, 5)
        result = await hand.result()
        assert result.message is not None and result.message.loading
        original = f"/webhooks/{sandbox.world.bot.id}/{hand.interaction['token']}/messages/@original"
        await api("PATCH", original, {"content": "there"})
        await result.done(timeout=WAIT_TIMEOUT)
        assert (result.content, result.message.loading) == ("there", False)
        assert (await api("GET", original)).body["content"] == "there"
        assert (await api("DELETE", original)).status == 204
        assert (await api("GET", original)).body["code"] == 10008

    async def test_the_first_follow_up_fills_in_a_deferred_answer(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        await answer(api, hand.interaction, 5)
        webhook = f"/webhooks/{sandbox.world.bot.id}/{hand.interaction['token']}"
        first = await api("POST", webhook, {"content": "first"})
        second = await api("POST", webhook, {"content": "second"})
        result = await (await hand.result()).done(timeout=WAIT_TIMEOUT)
        assert result.message is not None
        assert first.body["id"] == str(result.message.id)
        assert [message.content for message in result.followups] == ["second"]
        edited = await api("PATCH", f"{webhook}/messages/{second.body['id']}", {"content": "third"})
        assert edited.body["content"] == "third"

    async def test_a_token_is_valid_for_fifteen_minutes(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, clock: ManualClock
    ) -> None:
        hand = await create(bot, sandbox)
        webhook = f"/webhooks/{sandbox.world.bot.id}/{hand.interaction['token']}"
        early = await api("POST", webhook, {"content": "too early"})
        assert (early.status, early.body["code"]) == (404, 10015)
        await answer(api, hand.interaction, 4, {"content": "x"})
        clock.advance(899)
        assert (await api("POST", webhook, {"content": "in time"})).status == 200
        clock.advance(2)
        late = await api("POST", webhook, {"content": "late"})
        assert (late.status, late.body["code"]) == (401, 50027)

    async def test_an_answer_to_a_deleted_channel_is_rejected(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord
    ) -> None:
        hand = await create(bot, sandbox)
        sandbox.world.delete_channel("game-night")
        reply = await answer(api, hand.interaction, 4, {"content": "anyone?"})
        assert (reply.status, reply.body["code"]) == (404, 10003)
        hand.action.cancel()

    async def test_suggestions_reach_the_user_who_types(self, bot: RawBot, api: Api, sandbox: SandboxDiscord) -> None:
        hand = await begin(bot, sandbox.autocomplete("Mia", "game create", "when", title="Dragons", when="fri"))
        options = hand.interaction["data"]["options"][0]["options"]
        assert hand.interaction["type"] == 4
        assert options[-1] == {"name": "when", "type": 3, "value": "fri", "focused": True}
        await answer(api, hand.interaction, 8, {"choices": [{"name": "Friday 20:00", "value": "f"}]})
        assert (await hand.result()).choices == [{"name": "Friday 20:00", "value": "f"}]

    async def test_an_interaction_can_be_delivered_twice(self, bot: RawBot, api: Api, sandbox: SandboxDiscord) -> None:
        fault = sandbox.faults.add(DuplicateInteraction(), times=1)
        hand = await create(bot, sandbox)
        again = await bot.event("INTERACTION_CREATE")
        assert again == hand.interaction
        assert fault.fired == 1
        await answer(api, hand.interaction, 4, {"content": "once"})
        await hand.result()


class TestComponents:
    @pytest.fixture
    async def message(self, api: Api, game_night: int) -> int:
        return int((await api.send(game_night, "card", components=JOIN)).body["id"])

    async def test_a_click_updates_the_message(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, message: int
    ) -> None:
        hand = await begin(bot, sandbox.click("Ben", message, "join"))
        assert hand.interaction["data"] == {"custom_id": "join", "component_type": 2}
        assert hand.interaction["message"]["id"] == str(message)
        await answer(api, hand.interaction, 7, {"content": "Ben is in"})
        result = await hand.result()
        assert result.message is not None
        assert (result.kind, result.message.id, result.content) == (AnswerKind.UPDATE, message, "Ben is in")

    async def test_a_deferred_update_edits_the_message_later(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, message: int
    ) -> None:
        hand = await begin(bot, sandbox.click("Ben", message, "join"))
        await answer(api, hand.interaction, 6)
        original = f"/webhooks/{sandbox.world.bot.id}/{hand.interaction['token']}/messages/@original"
        assert (await api("PATCH", original, {"content": "later"})).body["id"] == str(message)
        assert (await (await hand.result()).done(timeout=WAIT_TIMEOUT)).content == "later"

    async def test_an_answer_to_a_click_is_a_reply(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, message: int
    ) -> None:
        hand = await begin(bot, sandbox.click("Ben", message, "join"))
        await answer(api, hand.interaction, 4, {"content": "welcome"})
        result = await hand.result()
        assert result.message is not None and result.message.replies_to == message

    async def test_components_that_cannot_be_used_are_rejected(
        self, api: Api, sandbox: SandboxDiscord, game_night: int
    ) -> None:
        parts = [
            {"type": 2, "style": 1, "label": "Off", "custom_id": "off", "disabled": True},
            {"type": 2, "style": 5, "label": "Web", "url": "https://example.org"},
        ]
        message = int((await api.send(game_night, "x", components=[{"type": 1, "components": parts}])).body["id"])
        with pytest.raises(UsageError, match="Off is disabled"):
            await sandbox.click("Ben", message, "off")
        with pytest.raises(UsageError, match="no component 'other'"):
            await sandbox.click("Ben", message, "other")
        with pytest.raises(UsageError, match="Ben can't see message 5"):
            await sandbox.click("Ben", 5, "off")

    async def test_a_select_sends_its_values(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, game_night: int
    ) -> None:
        options = [{"label": name, "value": name} for name in ("a", "b")]
        people = {"type": 5, "custom_id": "who"}
        rows = [
            {"type": 1, "components": [{"type": 3, "custom_id": "pick", "options": options}]},
            {"type": 1, "components": [people]},
        ]
        message = int((await api.send(game_night, "x", components=rows)).body["id"])
        with pytest.raises(UsageError, match="are not options"):
            await sandbox.click("Ben", message, "pick", values=["c"])
        hand = await begin(bot, sandbox.click("Ben", message, "pick", values=["b"]))
        assert hand.interaction["data"]["values"] == ["b"]
        await answer(api, hand.interaction, 6)
        await hand.result()
        hand = await begin(bot, sandbox.click("Ben", message, "who", values=["Priya"]))
        assert list(hand.interaction["data"]["resolved"]["users"]) == [str(sandbox.world.user("Priya").id)]
        hand.action.cancel()

    async def test_a_modal_is_filled_in_and_submitted(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, message: int
    ) -> None:
        hand = await begin(bot, sandbox.click("Ben", message, "join"))
        text = {"type": 4, "custom_id": "name", "style": 1, "max_length": 5}
        modal = {"title": "Who?", "custom_id": "m", "components": [{"type": 18, "label": "Name", "component": text}]}
        await answer(api, hand.interaction, 9, modal)
        opened = await hand.result()
        assert opened.modal == modal
        with pytest.raises(UsageError, match="Name must have 1 to 5 characters"):
            await sandbox.submit_modal("Ben", opened, {"name": "Benjamin"})
        with pytest.raises(UsageError, match="opened no modal for Mia"):
            await sandbox.submit_modal("Mia", opened, {"name": "Ben"})
        hand = await begin(bot, sandbox.submit_modal("Ben", opened, {"name": "Ben"}))
        [part] = hand.interaction["data"]["components"]
        assert (hand.interaction["type"], part["component"]["value"]) == (5, "Ben")
        await answer(api, hand.interaction, 7, {"content": "Hello Ben"})
        assert sandbox.messages("game-night")[0].content == "Hello Ben"
        await hand.result()

    async def test_a_modal_has_its_own_limits(
        self, bot: RawBot, api: Api, sandbox: SandboxDiscord, message: int
    ) -> None:
        hand = await begin(bot, sandbox.click("Ben", message, "join"))
        reply = await answer(api, hand.interaction, 9, {"title": "x" * 46, "custom_id": "", "components": []})
        assert set(reply.body["errors"]["data"]) == {"title", "custom_id", "components"}
        hand.action.cancel()


async def test_a_command_is_shown_only_to_users_who_may_use_it(api: Api, sandbox: SandboxDiscord) -> None:
    setup = {"name": "setup", "description": "Settings", "default_member_permissions": str(1 << 5)}
    await api("PUT", f"/applications/{sandbox.world.bot.id}/commands", [setup])
    shown = {
        name: [leaf.name for leaf in sandbox.engine.invoker.commands(name, "game-night")]
        for name in ("Mia", "Jonas", "Ben")
    }
    assert shown == {"Mia": ["setup"], "Jonas": ["setup"], "Ben": []}
