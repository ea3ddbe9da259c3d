"""The URLs that providers show their users, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import BrokerSettings, DatabaseSettings, load
from shared.urls import DatabaseUrl, Host

HOST = (Host("h", 5432),)

ACCEPTED = {
    "Neon, without its channel binding": (
        "postgresql://neondb_owner:npg_x@ep-cool-darkness-123456.us-east-2.aws.neon.tech/neondb?sslmode=require",
        {"tls": {"sslmode": "require"}, "database": "neondb"},
    ),
    "Neon, for clients without SNI": (
        "postgresql://u:p@h/db?sslmode=require&options=endpoint%3Dep-cool-darkness-123456",
        {"startup_parameters": {"options": "endpoint=ep-cool-darkness-123456"}},
    ),
    "Supabase, direct": (
        "postgresql://postgres:p%40ss@db.abcdefgh.supabase.co:5432/postgres",
        {"hosts": (Host("db.abcdefgh.supabase.co", 5432),), "password": "p@ss"},
    ),
    "Supabase, session pooler": (
        "postgres://postgres.abcdefgh:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres?pgbouncer=true&supa=base-pooler.x",
        {"user": "postgres.abcdefgh", "server_parameters": {}},
    ),
    "Heroku": (
        "postgres://u:p@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1?ssl=true",
        {"tls": {"sslmode": "require"}},
    ),
    "RDS": (
        "postgresql://admin:p@mydb.123456789012.us-east-1.rds.amazonaws.com:5432/app?sslmode=verify-full&connect_timeout=10",
        {"tls": {"sslmode": "verify-full"}},
    ),
    "Azure, with a server in the user's name": (
        "postgresql://admin@srv:p@srv.postgres.database.azure.com:5432/db?sslmode=require",
        {"user": "admin@srv", "hosts": (Host("srv.postgres.database.azure.com", 5432),)},
    ),
    "DigitalOcean": (
        "postgresql://doadmin:AVNS_x@db-postgresql-fra1-1-do-user-1-0.b.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
        {"hosts": (Host("db-postgresql-fra1-1-do-user-1-0.b.db.ondigitalocean.com", 25060),)},
    ),
    "Prisma": (
        "postgresql://u:p@h/db?schema=app&connection_limit=5&pool_timeout=10",
        {"server_parameters": {"search_path": "app"}},
    ),
    "libpq's options": (
        "postgresql://u:p@h/db?options=-c%20search_path%3Dapp%20-cjit%3Doff&application_name=x&keepalives=1",
        {"server_parameters": {"search_path": "app", "jit": "off"}, "startup_parameters": {}},
    ),
    "several hosts": (
        "postgresql://u:p@a:5433,b,[::1]:6000/db",
        {"hosts": (Host("a", 5433), Host("b", 5432), Host("::1", 6000)), "target_session_attrs": "read-write"},
    ),
    "several hosts, primary": (
        "postgresql+asyncpg://u:p@a,b/db?target_session_attrs=primary",
        {"target_session_attrs": "primary"},
    ),
    "hosts in the query": (
        "postgresql://u:p@/db?host=/run/postgresql&port=5433",
        {"hosts": (Host("/run/postgresql", 5433),)},
    ),
    "the certificates of the system": (
        "postgresql://u:p@h/db?sslmode=verify-full&sslrootcert=system",
        {"tls": {"sslmode": "verify-full", "sslrootcert": "system"}},
    ),
    "a password with @ and ?": ("postgresql://u:a@b?c@h/db", {"password": "a@b?c", "hosts": HOST}),
    "no database": ("postgresql://u:p@h", {"database": None, "hosts": HOST}),
    "no password": ("postgresql://u@h/db?", {"password": None}),
}

REFUSED = {
    "postgresql://u:p@h/db?channel_binding=require": "channel_binding=require is not supported; remove it",
    "postgresql://u:p@h/db?gssencmode=require": "gssencmode=require is not supported",
    "postgresql://u:p@h/db?sslmode=no-verify": "sslmode=no-verify is unknown; write one of disable, allow",
    "postgresql://u:p@h/db?sslrootcert=/nowhere/ca.pem": "sslrootcert=/nowhere/ca.pem is not a file",
    "postgresql://u:p@a,b/db?target_session_attrs=standby": "target_session_attrs=standby finds no server for writing",
    "postgresql://u:p@h/db?sslaccept=strict": "has the unknown parameter sslaccept",
    "postgresql://u:p@h:port/db": "has a port that is not a number",
    "postgresql://u:p@h:70000/db": "has a port that is not a number",
    "postgresql://u:p@a,,b/db": "has a host that cannot be read",
    "postgresql://u:p@::1:5432/db": "has a host that cannot be read",
    "postgresql://:p@h/db": "names no user",
    "postgresql://u:p@/db": "names no host",
    "postgresql://u:hush/hush@h/db": "cannot be read as a URL",
    "postgresql://u:hush#hush@h/db": "cannot be read as a URL",
    "jdbc:postgresql://h/db": "must look like postgresql://user:password@host:5432/database",
    "mysql://u:p@h/db": "must look like postgresql://",
    "host=h user=u": "has white space",
    "postgresql://u:p w@h/db": "has white space",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGUSER", "PGPORT", "QUESTBELL_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_database_url(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url, expected = ACCEPTED[name]
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url)
    parsed = load(DatabaseSettings).parsed
    assert {key: getattr(parsed, key) for key in expected} == expected


@pytest.mark.parametrize("url", REFUSED)
def test_a_refused_database_url_is_one_line_without_the_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url)
    with pytest.raises(ConfigurationError) as refused:
        load(DatabaseSettings)
    text = str(refused.value)
    assert text.startswith("QUESTBELL_DATABASE_URL: ")
    assert REFUSED[url] in text
    assert "\n" not in text
    assert "hush" not in text


def test_the_driver_gets_one_host_at_a_time_and_the_parameters_of_tls(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    parsed = DatabaseUrl.parse(f"postgresql://u:p%2Fw@a,b/db?sslmode=verify-ca&sslrootcert={ca}")
    arguments = parsed.driver_arguments(parsed.hosts[1])
    assert (arguments["host"], arguments["password"], arguments["target_session_attrs"]) == ("b", "p/w", "read-write")
    assert "sslmode=verify-ca" in arguments["dsn"]


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("amqp://u:p@h", ["amqp://u:p@h:5672/"]),
        ("amqps://u:p@h/vhost?heartbeat=5", ["amqps://u:p@h:5671/vhost?heartbeat=5"]),
        ("amqp://u:p@a,b:5673/%2F", ["amqp://u:p@a:5672/%2F", "amqp://u:p@b:5673/%2F"]),
        ("amqp://u:p@a/v,amqp://u:q@b/v", ["amqp://u:p@a:5672/v", "amqp://u:q@b:5672/v"]),
        ("amqp://u:p@[::1]:5672/", ["amqp://u:p@[::1]:5672/"]),
    ],
)
def test_a_broker_url_may_name_several(url: str, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", url)
    assert list(load(BrokerSettings).urls) == urls


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:5672", "must look like amqp://user:password@host:5672/"),
        ("http://u:p@h:15672", "must look like amqp://"),
        ("amqp://u:p@h:port/", "has a port that is not a number"),
        ("amqp://u:p@/", "names no host"),
        ("amqp://u:hush/hush@h/", "cannot be read as a URL"),
        ("amqps://u:p@h/?cafile=/nowhere/ca.pem", "cafile=/nowhere/ca.pem does not exist"),
    ],
)
def test_a_refused_broker_url_is_one_line(url: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", url)
    with pytest.raises(ConfigurationError) as refused:
        load(BrokerSettings)
    assert str(refused.value).startswith(f"QUESTBELL_AMQP_URL: {problem}")
    assert "hush" not in str(refused.value)
