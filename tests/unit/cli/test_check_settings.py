from __future__ import annotations

from pathlib import Path

import pytest

from cli.check import without_secrets
from cli.check_servers import rabbitmq_version, schema
from cli.check_settings import Settings, kubernetes, secrets_of, token_given
from cli.finding import Finding, Verdict

VARIABLES = ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN", "QUESTBELL_SECRETS_DIR", "KUBECONFIG")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def failures(settings: Settings) -> dict[str, str]:
    return {finding.name: finding.said for finding in settings.findings if finding.verdict is Verdict.FAILED}


def test_all_mistakes_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "localhost")
    monkeypatch.setenv("QUESTBELL_TIMING_LEASE", "5")
    found = failures(Settings(discord=True))
    assert set(found) == {"time-outs", "database settings", "broker settings", "Discord settings"}
    assert "request_timeout must be below lease" in found["time-outs"]
    assert "QUESTBELL_DATABASE_URL: is not set" in found["database settings"]


def test_the_order_of_the_time_outs_is_shown() -> None:
    [first, *_] = Settings(discord=False).findings
    assert first.said.startswith("request_timeout 6 s < lease 8 s < nonce_window 60 s")


def test_every_secret_is_known_also_of_settings_that_are_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://me:p%40ss:w@host/questbell")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "mysql://me:hush@host")
    (tmp_path / "DISCORD_TOKEN").write_text("token")
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path))
    assert token_given()
    assert set(secrets_of(Settings(discord=True))) == {"p%40ss:w", "p@ss:w", "hush", "token"}


def test_a_secret_that_a_server_repeats_is_not_shown() -> None:
    found = Finding.failed("broker", "cannot connect to amqp://me:hush@host/", "see QUESTBELL_AMQP_URL")
    assert without_secrets(["hush"], found).said == "cannot connect to amqp://me:***@host/"


def test_a_kubeconfig_or_a_service_account_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kubernetes({}).verdict is Verdict.FAILED
    assert "which is no file" in kubernetes({"KUBECONFIG": f"{__file__}:{tmp_path}/none"}).said
    assert kubernetes({"KUBECONFIG": __file__}).verdict is Verdict.PASSED
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    assert kubernetes({}).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("3.10.0", "passed"), ("3.13.7", "passed"), ("4.1.0-rc.1", "passed"), ("3.9.29", "failed"), ("", "failed")],
)
def test_rabbitmq_must_be_recent(version: str, verdict: str) -> None:
    assert rabbitmq_version(version).verdict == verdict


@pytest.mark.parametrize(
    ("at", "verdict"), [(None, "failed"), ("0002", "failed"), ("0003", "passed"), ("0010", "passed")]
)
def test_an_older_schema_fails_and_a_newer_one_serves(at: str | None, verdict: str) -> None:
    assert schema(at, release="0003").verdict == verdict
