"""A private PostgreSQL with its own data directory, port and password, which need not survive a power cut.

`fsync` and `full_page_writes` are off: they matter only if the machine itself crashes, which no test causes, and cost
most of a test's time. `synchronous_commit` stays on: without it a killed server loses commits that it confirmed. A data
directory that is copied for every run, to save initdb's second, was rejected: it is one more thing to invalidate.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from sandbox.servers.account import Account, private_home, server_account
from sandbox.servers.command import run
from sandbox.servers.containers import Container
from sandbox.servers.lifecycle import Foreign, Lifecycle, Report
from sandbox.servers.network import HOST, free_port
from sandbox.servers.process import Process, unattended
from sandbox.servers.source import Wanted, obtain

_SETTING = "QUESTBELL_DATABASE_URL"
_IMAGE = "postgres:17"
_OLDEST_MAJOR = 15
NAME = "questbell"
"""The user, and the database that the URL names."""
_MAINTENANCE = "postgres"
"""The database that always exists: from there all others can be dropped or copied."""
_ANSWER_SECONDS = 5.0
_RELOAD_POLL_SECONDS = 0.01

_SERVER_SETTINGS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")


class Postgres:
    """A running PostgreSQL. `url` is SQLAlchemy's, for asyncpg; its user may create databases."""

    def __init__(self, url: str, server: Lifecycle) -> None:
        self.url = url
        self._server = server

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given, which must have no connections; return its URL."""
        return await create_database(self.url, name, template=template)

    async def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and end its connections."""
        await _execute(self.url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    async def terminate_backends(self) -> None:
        """Terminate all client connections, as a failover does.

        Raises:
            ServerIsForeignError: a setting names the server, and other people may use it.
        """
        if isinstance(self._server, Foreign):
            self._server.refuse("end the sessions of")
        await _execute(
            self.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )

    async def set_read_only(self, is_read_only: bool) -> None:
        """Refuse or accept writes in all sessions, as a demoted primary does.

        Raises:
            ServerIsForeignError: a setting names the server, and other people may use it.
        """
        if isinstance(self._server, Foreign):
            self._server.refuse("change the settings of")
        change = "SET default_transaction_read_only = on" if is_read_only else "RESET default_transaction_read_only"
        await _execute(self.url, f"ALTER SYSTEM {change}")
        await _execute(self.url, "SELECT pg_reload_conf()")
        async with asyncio.timeout(_ANSWER_SECONDS):
            # A new session shows that all others have been signalled: they obey before their next statement.
            while await _is_read_only(self.url) is not is_read_only:  # noqa: ASYNC110 -- only the server knows
                await asyncio.sleep(_RELOAD_POLL_SECONDS)

    async def stop(self) -> None:
        """Stop the server in order: connections end, transactions roll back."""
        await self._server.stop()

    async def start(self) -> None:
        """Start it again, with its data and at the same address."""
        await self._server.start()

    async def kill(self) -> None:
        """Kill the server, as in a crash; `start` may follow."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop and start it."""
        await self.stop()
        await self.start()


@asynccontextmanager
async def postgres(
    directory: Path, *, report: Report, settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Postgres]:
    """Run a PostgreSQL for a block; its log is in `directory`. A server given by a setting does not get `settings`.

    Raises:
        ServerNotAvailableError: none is installed, and none can be.
        ServerFailedError: it did not start.
    """
    given = os.environ.get(_SETTING)
    if given:
        yield Postgres(_with_scheme(given, "postgresql+asyncpg"), Foreign("PostgreSQL", setting=_SETTING))
        return
    binaries = await obtain(WANTED, report=report)
    report("starting PostgreSQL")
    password, port = secrets.token_urlsafe(), free_port()
    url = f"postgresql+asyncpg://{NAME}:{password}@{HOST}:{port}/{NAME}"
    options = tuple(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
    if binaries is None:
        run_it = _in_docker(url, options)
    else:
        run_it = _as_process(url, options, binaries=binaries, directory=directory)
    async with run_it as server:
        yield Postgres(url, server)


async def create_database(url: str, name: str, *, template: str | None = None) -> str:
    """Create a database on a server, as `Postgres.create_database`; return its URL."""
    copied = f" TEMPLATE {_quoted(template)}" if template else ""
    await _execute(url, f"CREATE DATABASE {_quoted(name)}{copied}")
    return database_url(url, name)


def database_url(url: str, name: str) -> str:
    """Return the URL of another database of a server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name, safe='')}"))


def find_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server on this machine, if it is new enough."""
    versions = {
        int(folder.parent.name): folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdigit() and (folder / "postgres").exists() and (folder / "initdb").exists()
    }
    newest = max(versions, default=0)
    return versions[newest] if newest >= _OLDEST_MAJOR else None


WANTED = Wanted("PostgreSQL", setting=_SETTING, image=_IMAGE, package="postgresql", find=find_binaries)
"""For `install_all`."""


@asynccontextmanager
async def _as_process(url: str, options: Sequence[str], *, binaries: Path, directory: Path) -> AsyncIterator[Lifecycle]:
    account = server_account("postgres")
    async with private_home(directory, "postgres", account=account) as home:
        data = home / "data"
        await _initialise(data, binaries=binaries, password=urlsplit(url).password or "", account=account)
        log = directory / "postgres.log"
        server = postgres_process(url, options, binaries=binaries, data=data, log=log, account=account)
        try:
            await server.start()
            await Postgres(url, server).create_database(NAME)
            yield server
        finally:
            await server.stop()


def postgres_process(
    url: str, options: Sequence[str] = (), *, binaries: Path, data: Path, log: Path, account: Account | None
) -> Process:
    """Return a PostgreSQL that serves a data directory at the URL's address."""
    address = ("-h", HOST, "-p", str(urlsplit(url).port), "-c", "unix_socket_directories=")
    return Process(
        "PostgreSQL",
        [binaries / "postgres", "-D", data, *address, *_SERVER_SETTINGS, *options],
        ready=lambda: answers(url),
        log=log,
        account=account,
        stopped_by=signal.SIGINT,  # the fast shutdown: SIGTERM would wait for every client to leave
        killed_by=signal.SIGQUIT,  # the immediate shutdown: SIGKILL would leave its shared memory behind
    )


async def _initialise(data: Path, *, binaries: Path, password: str, account: Account | None) -> None:
    secret = data.with_name("password")
    secret.touch(mode=0o600)
    secret.write_text(password)
    if account:
        account.own(secret)
    options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    command = (binaries / "initdb", "-D", data, "-U", NAME, f"--pwfile={secret}", *options)
    await run(*unattended(signal.SIGKILL, account), *command, within=60, directory=data.parent)
    secret.unlink()


@asynccontextmanager
async def _in_docker(url: str, options: Sequence[str]) -> AsyncIterator[Lifecycle]:
    parts = urlsplit(url)
    server = Container(
        "PostgreSQL",
        _IMAGE,
        ready=lambda: answers(url),
        ports={5432: parts.port or 0},
        environment={"POSTGRES_USER": NAME, "POSTGRES_PASSWORD": parts.password or ""},
        command=["postgres", *_SERVER_SETTINGS, *options],
    )
    try:
        await server.start()
        yield server
    finally:
        await server.remove()


async def answers(url: str, *, database: str = _MAINTENANCE) -> bool:
    """Return whether a server answers, with one of its databases."""
    try:
        connection = await _connect(url, database)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close(timeout=_ANSWER_SECONDS)
    return True


async def _is_read_only(url: str) -> bool:
    connection = await _connect(url)
    try:
        return bool(await connection.fetchval("SHOW default_transaction_read_only") == "on")
    finally:
        await connection.close(timeout=_ANSWER_SECONDS)


async def _execute(url: str, statement: str) -> None:
    connection = await _connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=_ANSWER_SECONDS)


async def _connect(url: str, database: str = _MAINTENANCE) -> asyncpg.Connection[asyncpg.Record]:
    dsn = _with_scheme(url, "postgresql")
    return await asyncpg.connect(dsn, database=database, timeout=_ANSWER_SECONDS, command_timeout=60)


def _with_scheme(url: str, scheme: str) -> str:
    return f"{scheme}://{url.partition('://')[2]}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
