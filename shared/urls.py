"""The URLs of PostgreSQL and RabbitMQ, in the forms that providers and drivers use.

Each part is used, ignored for a reason, or refused here in one line. The drivers would answer with tracebacks, and some
of them with part of the password.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlunsplit

DATABASE_EXAMPLE = "postgresql://user:password@host:5432/database"
BROKER_EXAMPLE = "amqp://user:password@host:5672/"

_TLS_PARAMETERS = {
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SSL = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable", "off": "disable"}
"""The values of `ssl`, which other drivers have instead of `sslmode`."""
_SEARCH_PATHS = ("search_path", "schema", "currentschema")
_IGNORED = {
    # Questbell has its own.
    *("application_name", "fallback_application_name", "client_encoding", "connect_timeout", "keepalives"),
    *("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "load_balance_hosts"),
    # They are meant for another driver.
    *("pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "supa"),
    *("prepared_statement_cache_size", "sslcompression", "sslsni", "gssdelegation", "sslcertmode"),
}
_BROKER_FILES = ("cafile", "capath", "certfile", "keyfile")
_OPTIONAL_SAFETY = {"channel_binding": {"disable", "prefer"}, "gssencmode": {"disable", "prefer", "allow"}}
"""Parameters that the driver lacks, with the values that do not require it."""
_WRITERS = ("any", "read-write", "primary")


class Host(NamedTuple):
    """Where a server is. A name that begins with / is the directory of a socket."""

    name: str
    port: int


class _Parts(NamedTuple):
    """A URL's parts, of which `credentials`, `path` and `query` are still encoded."""

    scheme: str
    credentials: str
    hosts: str
    path: str
    query: str

    @property
    def parameters(self) -> dict[str, str]:
        return {name.lower(): value for name, value in parse_qsl(self.query)}


@dataclass(frozen=True)
class DatabaseUrl:
    """A parsed URL.

    Attributes:
        hosts: one of them takes writes; they are tried in turn.
        tls: libpq's parameters for TLS.
        startup_parameters: sent with the connection request.
        server_parameters: set after connecting.
    """

    hosts: tuple[Host, ...]
    user: str
    password: str | None
    database: str | None
    tls: Mapping[str, str]
    startup_parameters: Mapping[str, str]
    server_parameters: Mapping[str, str]
    target_session_attrs: str

    @classmethod
    def parse(cls, url: str) -> DatabaseUrl:
        """Read a URL.

        Raises:
            ValueError: saying what to write instead.
        """
        parts = _split(url, schemes=("postgresql", "postgres", "postgresql+asyncpg"), example=DATABASE_EXAMPLE)
        query = parts.parameters
        tls = _read_tls(query)
        startup, server = _read_options(query.pop("options", ""))
        for name in _SEARCH_PATHS:
            if name in query:
                server["search_path"] = query.pop(name)
        hosts = parts.hosts or query.pop("host", "") or os.environ.get("PGHOST", "")
        port = query.pop("port", "") or os.environ.get("PGPORT", "") or "5432"
        name, _, secret = parts.credentials.partition(":")
        user = unquote(name) or query.pop("user", "") or os.environ.get("PGUSER", "")
        password = unquote(secret) or query.pop("password", "")
        database = unquote(parts.path) or query.pop("dbname", "") or query.pop("database", "")
        for what, value in (("host", hosts), ("user", user)):
            if not value:
                raise ValueError(f"names no {what}; it must look like {DATABASE_EXAMPLE}")
        found = _read_hosts(hosts, default=_read_port(port))
        target = query.pop("target_session_attrs", "read-write" if len(found) > 1 else "any")
        if target not in _WRITERS:
            raise ValueError(f"target_session_attrs={target} finds no server for writing; write read-write")
        _refuse_unknown(query)
        return cls(found, user, password or None, database or None, tls, startup, server, target)

    def driver_arguments(self, host: Host) -> dict[str, Any]:
        """Return asyncpg's arguments for a connection to `host`."""
        tls = dict(self.tls)
        arguments: dict[str, Any] = {
            "host": host.name,
            "port": host.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "target_session_attrs": self.target_session_attrs,
        }
        if tls.get("sslrootcert") == "system":
            return {**arguments, "ssl": ssl.create_default_context()}
        return {**arguments, "dsn": f"postgresql://?{urlencode(tls)}" if tls else None}


def split_broker_urls(text: str) -> tuple[str, ...]:
    """Return one URL per broker. A list of URLs may be given, and several hosts in one URL.

    Raises:
        ValueError: saying what to write instead.
    """
    urls = []
    for url in re.split(r"\s*,\s*(?=amqps?://)", text):
        parts = _split(url, schemes=("amqp", "amqps"), example=BROKER_EXAMPLE)
        if not parts.hosts:
            raise ValueError(f"names no host; it must look like {BROKER_EXAMPLE}")
        for name in _BROKER_FILES:
            if name in parts.parameters and not Path(parts.parameters[name]).exists():
                raise ValueError(f"{name}={parts.parameters[name]} does not exist")
        for host in _read_hosts(parts.hosts, default=5671 if parts.scheme == "amqps" else 5672):
            name = f"[{host.name}]" if ":" in host.name else host.name
            netloc = f"{parts.credentials}@{name}:{host.port}" if parts.credentials else f"{name}:{host.port}"
            urls.append(urlunsplit((parts.scheme, netloc, f"/{parts.path}", parts.query, "")))
    return tuple(urls)


def _split(url: str, *, schemes: tuple[str, ...], example: str) -> _Parts:
    """Split a URL at the last @ before its path, so that one in a password does no harm."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in schemes:
        raise ValueError(f"must look like {example}")
    match = re.fullmatch(
        r"(?:(?P<credentials>[^/]*)@)?(?P<hosts>[^/?@]*)(?:/(?P<path>[^?@]*))?(?:\?(?P<query>.*))?", rest
    )
    if match is None or "#" in rest:
        raise ValueError("cannot be read as a URL: in a password write %2F for /, %23 for # and %3F for ?")
    return _Parts(scheme, *(part or "" for part in match.groups()))


def _read_hosts(text: str, *, default: int) -> tuple[Host, ...]:
    hosts = []
    for item in text.split(","):
        match = re.fullmatch(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[^:]*))?", item)
        if match is None:
            raise ValueError("has a host that cannot be read; write host:port, or [address]:port for IPv6")
        port = match["port"]
        hosts.append(Host(unquote(match["ipv6"] or match["name"]), _read_port(port) if port else default))
    return tuple(hosts)


def _read_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 16):
        raise ValueError("has a port that is not a number from 1 to 65535")
    return int(text)


def _read_tls(query: dict[str, str]) -> dict[str, str]:
    """Take the parameters for TLS out of a query."""
    if "ssl" in query:
        value = query.pop("ssl")
        query.setdefault("sslmode", _SSL.get(value.lower(), value))
    tls = {name: query.pop(name) for name in _TLS_PARAMETERS & query.keys()}
    mode = tls.get("sslmode")
    if mode is not None and mode not in _TLS_MODES:
        raise ValueError(f"sslmode={mode} is unknown; write one of {', '.join(_TLS_MODES)}")
    for name in _FILES:
        if name in tls and tls[name] != "system" and not Path(tls[name]).is_file():
            raise ValueError(f"{name}={tls[name]} is not a file")
    return tls


def _read_options(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Separate libpq's `options` from each `-c name=value` in them, which poolers refuse before the connection."""
    setting = r"(?:-c\s*|--)([\w.-]+)=(\S*)"
    rest = re.sub(setting, "", text).strip()
    return {"options": rest} if rest else {}, {
        name.replace("-", "_"): value for name, value in re.findall(setting, text)
    }


def _refuse_unknown(query: Mapping[str, str]) -> None:
    for name, value in query.items():
        if name in _OPTIONAL_SAFETY and value not in _OPTIONAL_SAFETY[name]:
            raise ValueError(
                f"{name}={value} is not supported; remove it, and write "
                "sslmode=verify-full&sslrootcert=system to be sure of the server"
            )
        if name not in _IGNORED and name not in _OPTIONAL_SAFETY:
            raise ValueError(
                f"has the unknown parameter {name}; write a setting of the server as options=-c%20name=value"
            )
