"""`questbell check` against servers that are right, wrong and away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from cli.check import check
from migrations.command import head
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.messaging.connection import connected
from shared.messaging.topology import NOTICES
from shared.settings import BrokerSettings
from tests.integration.cli.conftest import Answer, Run
from tests.support.database import Database


@pytest.fixture(autouse=True)
def _kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubeconfig").write_text("apiVersion: v1\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def finding(answer: Answer, name: str) -> dict[str, Any]:
    """The finding of one check."""
    [found] = [finding for finding in answer.document["findings"] if finding["name"] == name]
    return dict(found)


async def checked(run: Run, **options: Any) -> Answer:
    return await run(check, release=head(), as_json=True, **options)


async def test_a_configuration_that_works_passes_line_by_line(
    run: Run, declared: BrokerSettings, discord: SandboxDiscord
) -> None:
    answer = await run(check, release=head())
    assert answer.code == 0, answer.out
    assert "✗" not in answer.out
    for name in ("time-outs", "database", "schema", "broker", "RabbitMQ version", "queues", "Discord token"):
        assert f"✓ {name}: " in answer.out
    assert "accepted: questbell (" in answer.out


async def test_without_a_token_discord_is_left_out_unless_it_is_checked_for_the_bot(
    run: Run, declared: BrokerSettings
) -> None:
    anyone, bot = await checked(run), await checked(run, workload="bot")
    assert (anyone.code, finding(anyone, "Discord token")["verdict"]) == (0, "skipped")
    assert bot.code == 1
    assert "DISCORD_TOKEN: is not set" in finding(bot, "Discord settings")["said"]


async def test_an_older_schema_says_to_migrate_and_a_newer_one_serves(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    for at, verdict in (("0001", "failed"), ("9999", "passed")):
        async with db.transaction(database.sessions) as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": at})
        found = finding(await checked(run), "schema")
        assert found["verdict"] == verdict
    async with db.transaction(database.sessions) as session:
        await session.execute(text("DROP TABLE alembic_version"))
    assert finding(await checked(run), "schema")["mend"] == "run `questbell migrate`"


async def test_missing_queues_are_named_and_not_declared(run: Run, broker: BrokerSettings) -> None:
    for _ in range(2):
        found = finding(await checked(run), "queues")
        assert found["verdict"] == "failed"
        assert "bot.reminders, bot.reminders.dlq" in found["said"]
        assert "questbell controllers" in found["mend"]


async def test_a_queue_with_other_arguments_is_found(run: Run, declared: BrokerSettings) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.queue_delete(NOTICES.name)
        await channel.declare_queue(NOTICES.name, durable=True, arguments={"x-queue-type": "quorum"})
    found = finding(await checked(run), "queues")
    assert (found["verdict"], found["said"]) == ("failed", "declared by others, with other arguments: bot.notices")


async def test_wrong_passwords_and_tokens_are_found_and_never_shown(
    run: Run, database: Database, broker: BrokerSettings, discord: SandboxDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"DISCORD_TOKEN": "hush-token", "QUESTBELL_AMQP_URL": "hush-broker"}
    monkeypatch.setenv("DISCORD_TOKEN", "hush-token")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", _with_password(broker.url.get_secret_value(), "hush-broker"))
    answer, drawn = await checked(run), await run(check, release=head())
    assert (answer.code, drawn.code) == (1, 1)
    assert "rejects this user name or password" in finding(answer, "broker")["said"]
    assert "Discord rejects it" in finding(answer, "Discord token")["said"]
    for secret in (*secrets.values(), make_url(database.settings.url.get_secret_value()).password or "-"):
        for output in (answer.out, answer.err, drawn.out, drawn.err):
            assert secret == "-" or secret not in output


async def test_servers_that_are_away_are_failures_and_not_tracebacks(
    run: Run, discord: SandboxDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/questbell")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://me:hush@127.0.0.1:1/")
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:1")
    answer = await checked(run)
    for name in ("database", "broker", "Discord token"):
        assert finding(answer, name)["verdict"] == "failed"
    assert finding(answer, "schema")["verdict"] == "skipped"
    assert "hush" not in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert answer.err == "questbell: 3 of 14 checks failed\n"


@pytest.mark.parametrize(
    ("part", "said"), [("database", 'database "nowhere" does not exist'), ("user", 'role "nobody" does not exist')]
)
async def test_a_database_that_refuses_says_why(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch, part: str, said: str
) -> None:
    wrong = {"database": {"database": "nowhere"}, "user": {"username": "nobody"}}[part]
    url = make_url(database.settings.url.get_secret_value()).set(**wrong)  # type: ignore[arg-type]  # parts of a URL
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url.render_as_string(hide_password=False))
    found = finding(await checked(run), "database")
    assert found["verdict"] == "failed"
    assert said in found["said"] or "authentication failed" in found["said"]


def _with_password(url: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    user = rest.rpartition("@")[0].partition(":")[0]
    return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"
