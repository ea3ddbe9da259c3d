"""`enforce_nonce`: the same message is not made twice, for as long as Discord remembers."""

from __future__ import annotations

from sandbox.discord.clock import ManualClock
from sandbox.discord.server import SandboxDiscord
from tests.unit.sandbox.discord.clients import Api


async def test_an_enforced_nonce_returns_the_earlier_message(
    api: Api, sandbox: SandboxDiscord, game_night: int
) -> None:
    first = await api.send(game_night, "one", nonce="abc", enforce_nonce=True)
    second = await api.send(game_night, "two", nonce="abc", enforce_nonce=True)
    assert second.status == 200
    assert second.body == first.body
    assert [message.content for message in sandbox.messages("game-night")] == ["one"]
    assert [record.returned_earlier for record in sandbox.evidence] == [False, True]


async def test_a_nonce_that_is_not_enforced_changes_nothing(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    await api.send(game_night, "one", nonce="abc")
    await api.send(game_night, "two", nonce="abc")
    assert len(sandbox.messages("game-night")) == 2


async def test_a_nonce_is_forgotten_after_its_window(
    api: Api, sandbox: SandboxDiscord, game_night: int, clock: ManualClock
) -> None:
    await api.send(game_night, "one", nonce="abc", enforce_nonce=True)
    clock.advance(299)
    await api.send(game_night, "two", nonce="abc", enforce_nonce=True)
    assert len(sandbox.messages("game-night")) == 1
    clock.advance(2)
    await api.send(game_night, "three", nonce="abc", enforce_nonce=True)
    assert len(sandbox.messages("game-night")) == 2


async def test_the_nonce_of_a_deleted_message_is_rejected(api: Api, game_night: int) -> None:
    first = await api.send(game_night, nonce="abc", enforce_nonce=True)
    await api("DELETE", f"/channels/{game_night}/messages/{first.body['id']}")
    again = await api.send(game_night, nonce="abc", enforce_nonce=True)
    assert (again.status, again.body["code"]) == (404, 10008)


async def test_a_nonce_counts_for_its_author_everywhere(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    other = sandbox.world.channel("off-topic").id
    first = await api.send(game_night, nonce=7, enforce_nonce=True)
    second = await api.send(other, nonce="7", enforce_nonce=True)
    assert second.body["id"] == first.body["id"]


async def test_a_nonce_has_at_most_25_characters(api: Api, game_night: int) -> None:
    assert (await api.send(game_night, nonce="x" * 25, enforce_nonce=True)).status == 200
    reply = await api.send(game_night, nonce="x" * 26, enforce_nonce=True)
    assert reply.body["errors"]["nonce"]["_errors"][0]["message"] == "Must be 25 or fewer in length."
