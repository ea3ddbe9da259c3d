from __future__ import annotations

from pathlib import Path

import pytest

from questbell.shared.errors import ConfigurationError
from questbell.shared.settings import BrokerSettings, DatabaseSettings, DiscordSettings, Timing, load


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN", "QUESTBELL_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="QUESTBELL_DATABASE_URL: is not set"):
        load(DatabaseSettings)


def test_a_wrong_setting_says_what_it_must_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "localhost:5672")
    with pytest.raises(ConfigurationError, match="QUESTBELL_AMQP_URL: must look like amqp://"):
        load(BrokerSettings)


def test_a_plain_postgresql_url_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgres://user:secret@host/db")
    assert load(DatabaseSettings).url.get_secret_value() == "postgresql://user:secret@host/db"


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "DISCORD_TOKEN").write_text("hush\n")
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path))
    settings = load(DiscordSettings)
    assert settings.token.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_time_outs_in_the_wrong_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_TIMING_LEASE", "5")
    with pytest.raises(ConfigurationError, match="request_timeout must be below lease"):
        load(Timing)
