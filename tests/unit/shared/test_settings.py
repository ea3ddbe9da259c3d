from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import BrokerSettings, DatabaseSettings, DiscordSettings, Timing, load


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN", "QUESTBELL_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^QUESTBELL_DATABASE_URL is not set \(where PostgreSQL is, such as postgresql://"
    ):
        load(DatabaseSettings)


def test_a_wrong_setting_says_what_it_must_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "localhost:5672")
    with pytest.raises(ConfigurationError, match="QUESTBELL_AMQP_URL: must look like amqp://"):
        load(BrokerSettings)


@pytest.mark.parametrize("kind", [DatabaseSettings, BrokerSettings])
def test_an_unencoded_password_is_rejected_and_not_shown(
    kind: type[DatabaseSettings] | type[BrokerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://user:hush/hush@host:5432/db")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://user:hush#hush@host:5672/")
    with pytest.raises(ConfigurationError, match="_URL: cannot be read as a URL") as refused:
        load(kind)
    assert "hush" not in str(refused.value)


def test_a_missing_secrets_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="QUESTBELL_SECRETS_DIR"):
        load(DiscordSettings)


def test_a_plain_postgresql_url_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgres://user:secret@host/db")
    assert load(DatabaseSettings).url.get_secret_value() == "postgresql://user:secret@host/db"


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "DISCORD_TOKEN").write_text("hush\n")
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path))
    settings = load(DiscordSettings)
    assert settings.token.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_time_outs_in_the_wrong_order_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_TIMING_LEASE", "5")
    with pytest.raises(ConfigurationError, match="request_timeout must be below lease"):
        load(Timing)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "0.001"])
@pytest.mark.parametrize("name", Timing.model_fields)
def test_an_invalid_time_out_is_rejected(name: str, seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"QUESTBELL_TIMING_{name.upper()}"
    monkeypatch.setenv(variable, seconds)
    with pytest.raises(ConfigurationError, match=variable):
        load(Timing)
