"""`questbell check` against servers that work, that are misconfigured, and that are unavailable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from cli.commands.check.command import check
from sandbox.discord.server import SandboxDiscord
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.messaging.connection import connected
from shared.messaging.topology import EXCHANGE, NOTICES
from shared.models import NotificationKind
from shared.settings import BrokerSettings
from tests.integration.cli.conftest import Output, Run
from tests.support.builders import become_newer, new_game, rows_of
from tests.support.database import Database


@pytest.fixture(autouse=True)
def _kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubeconfig").write_text("apiVersion: v1\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def result_of(output: Output, name: str) -> dict[str, Any]:
    """The result of one check."""
    [result] = [result for result in output.document["results"] if result["name"] == name]
    return dict(result)


async def check_as_json(run: Run, **options: Any) -> Output:
    return await run(check, as_json=True, **options)


async def test_each_check_of_a_working_configuration_passes(
    run: Run, declared: BrokerSettings, discord: SandboxDiscord
) -> None:
    output = await run(check)
    assert output.code == 0, output.out
    assert "✗" not in output.out
    for name in ("time-outs", "database", "schema", "broker", "RabbitMQ version", "queues", "Discord token"):
        assert f"✓ {name}: " in output.out
    assert "accepted for questbell (" in output.out


async def test_a_missing_token_fails_only_the_check_for_the_bot(run: Run, declared: BrokerSettings) -> None:
    all_checks, for_bot = await check_as_json(run), await check_as_json(run, workload="bot")
    assert (all_checks.code, result_of(all_checks, "Discord token")["status"]) == (0, "skipped")
    assert for_bot.code == 1
    assert "DISCORD_TOKEN is not set" in result_of(for_bot, "Discord settings")["message"]


async def test_an_older_schema_must_be_migrated_and_a_newer_one_passes(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    for revision, status in (("0001", "failed"), ("9999", "passed")):
        async with db.transaction(database.sessions) as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": revision})
        result = result_of(await check_as_json(run), "schema")
        assert result["status"] == status
    async with db.transaction(database.sessions) as session:
        await session.execute(text("DROP TABLE alembic_version"))
    assert result_of(await check_as_json(run), "schema")["remedy"] == "run `questbell migrate`"


async def test_rows_of_a_newer_release_are_counted(run: Run, database: Database, declared: BrokerSettings) -> None:
    assert all(result["name"] != "rows" for result in (await check_as_json(run)).document["results"])
    game = await new_game(database.sessions, offsets=(10,))
    await become_newer(database.sessions, *await rows_of(database.sessions, game, NotificationKind.REMINDER))
    result = result_of(await check_as_json(run), "rows")
    assert (result["status"], result["message"]) == ("failed", "a newer release wrote 1 row that only it can handle")
    assert "upgrade to that release again" in result["remedy"]


async def test_a_missing_exchange_is_reported(run: Run, declared: BrokerSettings) -> None:
    async with connected(declared, name="test") as connection:
        await (await connection.channel()).exchange_delete(EXCHANGE)
    result = result_of(await check_as_json(run), "queues")
    assert (result["status"], result["message"]) == ("failed", "missing: exchange game_events")


async def test_missing_queues_are_reported_and_not_declared(run: Run, broker: BrokerSettings) -> None:
    for _ in range(2):
        result = result_of(await check_as_json(run), "queues")
        assert result["status"] == "failed"
        assert "bot.reminders, bot.reminders.dlq" in result["message"]
        assert "questbell controllers" in result["remedy"]


async def test_a_queue_with_other_arguments_is_reported(run: Run, declared: BrokerSettings) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.queue_delete(NOTICES.name)
        await channel.declare_queue(NOTICES.name, durable=True, arguments={"x-queue-type": "quorum"})
    result = result_of(await check_as_json(run), "queues")
    assert (result["status"], result["message"]) == ("failed", "declared with other arguments: bot.notices")


async def test_wrong_passwords_and_tokens_are_reported_and_never_printed(
    run: Run, database: Database, broker: BrokerSettings, discord: SandboxDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"DISCORD_TOKEN": "hush-token", "QUESTBELL_AMQP_URL": "hush-broker"}
    monkeypatch.setenv("DISCORD_TOKEN", "hush-token")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", _with_password(broker.url.get_secret_value(), "hush-broker"))
    output, rendered = await check_as_json(run), await run(check)
    assert (output.code, rendered.code) == (1, 1)
    assert "rejects this user name or password" in result_of(output, "broker")["message"]
    assert "Discord rejects this token" in result_of(output, "Discord token")["message"]
    for secret in (*secrets.values(), make_url(database.settings.url.get_secret_value()).password or "-"):
        for stream in (output.out, output.err, rendered.out, rendered.err):
            assert secret == "-" or secret not in stream


@pytest.mark.parametrize(("token", "code"), [("{}\n", 0), (' "{}" ', 0), ("{}\nhush", 1), ("Bot {}", 1)])
async def test_a_token_with_white_space_is_read_or_refused(
    run: Run, declared: BrokerSettings, discord: SandboxDiscord, monkeypatch: pytest.MonkeyPatch, token: str, code: int
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", token.format(discord.token))
    output = await check_as_json(run, workload="bot")
    assert output.code == code, output.out
    assert discord.token not in output.out + output.err
    if code:
        assert result_of(output, "Discord settings")["message"].startswith("DISCORD_TOKEN: has white space")


async def test_a_database_that_only_reads_fails_the_check(
    run: Run, declared: BrokerSettings, postgres_server: Postgres
) -> None:
    await postgres_server.set_read_only(True)
    try:
        result = result_of(await check_as_json(run, workload="controllers"), "database")
    finally:
        await postgres_server.set_read_only(False)
    assert result["status"] == "failed"
    assert "the server only reads" in result["message"]


async def test_unavailable_servers_are_reported_without_a_traceback(
    run: Run, discord: SandboxDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/questbell")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://me:hush@127.0.0.1:1/")
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:1")
    output = await check_as_json(run)
    for name in ("database", "broker", "Discord token"):
        assert result_of(output, name)["status"] == "failed"
    assert result_of(output, "schema")["status"] == "skipped"
    assert "hush" not in output.out + output.err
    assert "Traceback" not in output.err
    assert output.err == "questbell: 3 of 14 checks failed\n"


@pytest.mark.parametrize(
    ("part", "reason"), [("database", 'database "nowhere" does not exist'), ("user", 'role "nobody" does not exist')]
)
async def test_a_rejected_database_connection_shows_the_reason(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch, part: str, reason: str
) -> None:
    wrong = {"database": {"database": "nowhere"}, "user": {"username": "nobody"}}[part]
    url = make_url(database.settings.url.get_secret_value()).set(**wrong)  # type: ignore[arg-type]  # parts of a URL
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url.render_as_string(hide_password=False))
    result = result_of(await check_as_json(run), "database")
    assert result["status"] == "failed"
    assert reason in result["message"] or "authentication failed" in result["message"]


def _with_password(url: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    user = rest.rpartition("@")[0].partition(":")[0]
    return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"
