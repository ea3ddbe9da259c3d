from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.check.command import redact
from cli.commands.check.result import CheckResult, CheckStatus
from cli.commands.check.servers import check_rabbitmq_version, check_schema
from cli.commands.check.settings import LoadedSettings, check_kubernetes_access, collect_secrets, is_token_set

VARIABLES = ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN", "QUESTBELL_SECRETS_DIR", "KUBECONFIG")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def failures(settings: LoadedSettings) -> dict[str, str]:
    return {result.name: result.message for result in settings.results if result.status is CheckStatus.FAILED}


def test_all_invalid_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "localhost")
    monkeypatch.setenv("QUESTBELL_TIMING_LEASE", "5")
    found = failures(LoadedSettings(discord=True))
    assert set(found) == {"time-outs", "database settings", "broker settings", "Discord settings"}
    assert "request_timeout must be below lease" in found["time-outs"]
    assert "QUESTBELL_DATABASE_URL is not set" in found["database settings"]


def test_the_order_of_the_time_outs_is_shown() -> None:
    [first, *_] = LoadedSettings(discord=False).results
    assert first.message.startswith("request_timeout 6 s < lease 8 s < nonce_window 60 s")


def test_the_secrets_of_invalid_settings_are_collected_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://me:p%40ss:w@host/questbell")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "mysql://me:hush@host")
    (tmp_path / "DISCORD_TOKEN").write_text("token")
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path))
    assert is_token_set()
    assert set(collect_secrets(LoadedSettings(discord=True))) == {"p%40ss:w", "p@ss:w", "hush", "token"}


def test_a_secret_that_a_server_repeats_is_redacted() -> None:
    result = CheckResult.failed("broker", "cannot connect to amqp://me:hush@host/", "check QUESTBELL_AMQP_URL")
    assert redact(result, ["hush"]).message == "cannot connect to amqp://me:***@host/"


def test_kubernetes_access_needs_a_kubeconfig_or_a_service_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_kubernetes_access({}).status is CheckStatus.FAILED
    assert "which is not a file" in check_kubernetes_access({"KUBECONFIG": f"{__file__}:{tmp_path}/none"}).message
    assert check_kubernetes_access({"KUBECONFIG": __file__}).status is CheckStatus.PASSED
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    assert check_kubernetes_access({}).status is CheckStatus.PASSED


@pytest.mark.parametrize(
    ("version", "status"),
    [("3.10.0", "passed"), ("3.13.7", "passed"), ("4.1.0-rc.1", "passed"), ("3.9.29", "failed"), ("", "failed")],
)
def test_an_old_rabbitmq_fails(version: str, status: str) -> None:
    assert check_rabbitmq_version(version).status == status


@pytest.mark.parametrize(
    ("revision", "status"), [(None, "failed"), ("0002", "failed"), ("0003", "passed"), ("0010", "passed")]
)
def test_an_older_schema_fails_and_a_newer_one_passes(revision: str | None, status: str) -> None:
    assert check_schema(revision, needed="0003").status == status
