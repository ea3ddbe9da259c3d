from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import (
    BotSettings,
    BrokerSettings,
    DatabaseSettings,
    DiscordSettings,
    HealthSettings,
    KubernetesSettings,
    LogSettings,
    Timing,
    load,
)


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


def test_a_lease_that_leaves_no_time_for_its_transaction_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_TIMING_LEASE", "6.1")
    with pytest.raises(ConfigurationError, match="lease must be 1 s above request_timeout"):
        load(Timing)


PASTED = ["{}\n", " {} ", "\ufeff{}", '"{}"', "'{}'\r\n", "{}\u200b", "\t{}\u00a0"]


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_what_surrounds_a_setting_is_removed(
    pasted: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "DISCORD_TOKEN": "abc.def-1",
        "DISCORD_API_URL": "https://discord.example",
        "QUESTBELL_DATABASE_URL": "postgresql://u:p@h/db",
        "QUESTBELL_DATABASE_POOL_SIZE": "7",
        "QUESTBELL_AMQP_URL": "amqp://u:p@h/",
    }
    if place == "file":
        monkeypatch.setenv("QUESTBELL_SECRETS_DIR", f"{tmp_path}\n")
    for name, value in values.items():
        if place == "file":
            (tmp_path / name).write_text(pasted.format(value), encoding="utf-8")
        else:
            monkeypatch.setenv(name, pasted.format(value))
    discord, database = load(DiscordSettings), load(DatabaseSettings)
    assert (discord.token.get_secret_value(), discord.api_url) == ("abc.def-1", "https://discord.example")
    assert (database.url.get_secret_value(), database.pool_size) == ("postgresql://u:p@h/db", 7)
    assert load(BrokerSettings).urls == ("amqp://u:p@h:5672/",)


@pytest.mark.parametrize("token", ["hush\nhush", "Bot hush", "hu\tsh", "hu\u200bsh", "húsh", '""', " "])
def test_a_token_that_cannot_be_one_is_refused_in_one_line(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", token)
    with pytest.raises(ConfigurationError, match=r"^DISCORD_TOKEN: (has|is empty)") as refused:
        load(DiscordSettings)
    assert "\n" not in str(refused.value)
    assert "sh" not in str(refused.value).replace("has white space", "")


WRONG = {
    "QUESTBELL_DATABASE_POOL_SIZE": ("2", DatabaseSettings, "must be at least 3"),
    "QUESTBELL_AMQP_PREFETCH": ("many", BrokerSettings, "must be a number, such as 200"),
    "QUESTBELL_HEALTH_PORT": ("70000", HealthSettings, "must be at most 65535"),
    "QUESTBELL_LOG_FORMAT": ("xml", LogSettings, "must be 'json' or 'console'"),
    "QUESTBELL_NAMESPACE": ("My_Games", KubernetesSettings, "must be a namespace's name, such as questbell"),
    "QUESTBELL_BOT_MEMBERS_INTENT": ("perhaps", BotSettings, "must be true or false"),
    "QUESTBELL_BOT_SHARDS": ("many", BotSettings, "must be auto or a number from 1 to 200"),
    "QUESTBELL_BOT_PROCESSES": ("11", BotSettings, "must be at most 10"),
    "DISCORD_API_URL": ("discord.com", DiscordSettings, "must look like https://discord.com"),
    "QUESTBELL_TIMING_LEASE": ("nan", Timing, "must be a number, such as 8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_begins_with_its_name_and_says_what_to_write(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, kind, advice = WRONG[name]
    for other, valid in (
        ("DISCORD_TOKEN", "x"),
        ("QUESTBELL_DATABASE_URL", "postgresql://u@h"),
        ("QUESTBELL_AMQP_URL", "amqp://h"),
    ):
        monkeypatch.setenv(other, valid)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load(kind)
    assert str(refused.value).startswith(f"{name}: {advice}")


def test_an_empty_setting_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_HEALTH_PORT", "")
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "")
    assert load(HealthSettings).port == HealthSettings.model_fields["port"].default
    with pytest.raises(ConfigurationError, match="QUESTBELL_AMQP_URL is not set"):
        load(BrokerSettings)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_secrets_that_cannot_be_read_are_one_line(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTBELL_SECRETS_DIR", str(tmp_path / "secrets"))
    if content is not None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "DISCORD_TOKEN").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^QUESTBELL_SECRETS_DIR: .*(UTF-8|not a directory)"):
        load(DiscordSettings)


@pytest.mark.parametrize(("shards", "count"), [("auto", "auto"), ("1", 1), ("200", 200)])
def test_shards_are_a_number_or_auto(shards: str, count: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(BotSettings).shards == 1
    monkeypatch.setenv("QUESTBELL_BOT_SHARDS", shards)
    assert load(BotSettings).shards == count


@pytest.mark.parametrize(
    ("shards", "processes", "ordinal", "refusal"),
    [
        ("auto", "2", "0", "QUESTBELL_BOT_SHARDS: shards must be a number if there are several processes"),
        ("2", "3", "0", "QUESTBELL_BOT_SHARDS: shards must be at least 3"),
        ("4", "2", "2", "QUESTBELL_BOT_ORDINAL: ordinal must be below 2"),
        ("0", "1", "0", "QUESTBELL_BOT_SHARDS: must be auto or a number"),
        ("201", "1", "0", "QUESTBELL_BOT_SHARDS: must be auto or a number"),
    ],
)
def test_shards_that_the_processes_cannot_share_are_refused_in_one_line(
    shards: str, processes: str, ordinal: str, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"SHARDS": shards, "PROCESSES": processes, "ORDINAL": ordinal}
    for name, value in values.items():
        monkeypatch.setenv(f"QUESTBELL_BOT_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load(BotSettings)
    assert str(refused.value).startswith(refusal)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "0.001"])
@pytest.mark.parametrize("name", Timing.model_fields)
def test_an_invalid_time_out_is_rejected(name: str, seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"QUESTBELL_TIMING_{name.upper()}"
    monkeypatch.setenv(variable, seconds)
    with pytest.raises(ConfigurationError, match=variable):
        load(Timing)
