"""A RabbitMQ node with private copies of everything that Erlang shares by default.

These are the name server (epmd, which the first node on a machine starts and nobody stops), the node name and its port,
the cookie, plugins, configuration files and data. Listeners are on 127.0.0.1.

The start script is made to become the node (`RABBITMQ_ALLOW_INPUT` with `-noinput`, which its systemd unit achieves by
`NOTIFY_SOCKET`): as a child of the script, the node would survive this process.
"""

from __future__ import annotations

import asyncio
import re
import resource
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers.account import Account
from sandbox.servers.network import HOST, free_ports, listens
from sandbox.servers.process import Process, Ready

ERLANG_SETTINGS = "-rabbit quorum_tick_interval 250"
"""How often quorum queues refresh their figures, in milliseconds: the default of 5 s is long for a test."""

_SHUTDOWN_SETTINGS = "-kernel shutdown_timeout 1000"
"""In milliseconds. RabbitMQ 3.10's management agent waits 5 s for itself when the node stops; queues need 50 ms."""

_OLDEST = (3, 10)
_NODE_NAME, _NODE_HOST = "questbell", "localhost"
_OPEN_FILES = 65_536
"""Enough for any test. Otherwise Erlang allocates tables for as many as the system allows, a billion on some."""


def find_binaries() -> Path | None:
    """Return the folder of this machine's rabbitmq-server, if it is new enough and Erlang is on PATH.

    Debian's on PATH is a wrapper that only controls the system's own broker, so its folder of the real one comes first.
    """
    on_path = shutil.which("rabbitmq-server")
    folders = [Path("/usr/lib/rabbitmq/bin"), *([Path(on_path).parent] if on_path else [])]
    usable = [folder for folder in folders if (folder / "rabbitmq-server").exists() and _new_enough(folder)]
    return usable[0] if usable and shutil.which("erl") and shutil.which("epmd") else None


def _new_enough(folder: Path) -> bool:
    version = re.search(r"rabbitmq_server-(\d+)\.(\d+)", str((folder / "rabbitmq-server").resolve()))
    return version is None or (int(version[1]), int(version[2])) >= _OLDEST


@dataclass(frozen=True)
class Membership:
    """A node's place in a cluster. Its name server runs already, and knows the way to its peers."""

    name: str
    names_port: int
    port: int
    """For the connections of its peers."""
    cookie: str
    nodes: Sequence[str]
    """The names of the nodes that it looks for at its first start, and its own."""
    settings: Mapping[str, str]
    """More settings for its `rabbitmq.conf`."""

    @property
    def configuration(self) -> str:
        """The lines of `rabbitmq.conf` with which a new node joins another one that runs."""
        settings = {
            "cluster_formation.peer_discovery_backend": "classic_config",
            **{
                f"cluster_formation.classic_config.nodes.{number}": f"{name}@{_NODE_HOST}"
                for number, name in enumerate(self.nodes, 1)
            },
            **self.settings,
        }
        return "".join(f"{key} = {value}\n" for key, value in settings.items())


class RabbitNode:
    """A node and its name server, with their files in `home`."""

    def __init__(
        self,
        binaries: Path,
        home: Path,
        *,
        ready: Ready,
        log: Path,
        account: Account | None,
        membership: Membership | None = None,
    ) -> None:
        """`home` belongs to `account` and has a `rabbitmq.conf` from `write_configuration`."""
        self._data = home / "data"
        self._has_names = membership is None
        name, (names, distribution) = _NODE_NAME, free_ports(2)
        if membership is not None:
            name, names, distribution = membership.name, membership.names_port, membership.port
        environment = _environment(home, name=name, names=names, distribution=distribution)
        self._names = Process(
            "epmd",
            [shutil.which("epmd") or "epmd"],
            ready=lambda: listens(names),
            log=log,
            account=account,
            environment=environment,
        )
        self._node = Process(
            "RabbitMQ",
            ["prlimit", f"--nofile={_open_files()}", "--", binaries / "rabbitmq-server"],
            ready=ready,
            log=log,
            account=account,
            environment=environment,
        )

    async def start(self) -> None:
        """Start the node, and return when it serves."""
        if self._has_names:
            await self._names.start()
        await self._node.start()

    async def stop(self) -> None:
        """Stop the node, then the name server: a node without one would start its own."""
        await self._node.stop()
        await self._names.stop()

    async def kill(self) -> None:
        """Kill the node, as in a crash."""
        await self._node.kill()

    async def wipe(self) -> None:
        """Start with an empty data directory."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._data)
        await self.start()


def write_configuration(
    home: Path,
    *,
    port: int,
    management_port: int,
    user: str,
    password: str,
    account: Account | None,
    membership: Membership | None = None,
) -> None:
    """Write the configuration files of a node, readable by its account alone; `user` has all permissions."""
    configuration = f"""\
listeners.tcp.1 = {HOST}:{port}
management.tcp.ip = {HOST}
management.tcp.port = {management_port}
management_agent.disable_metrics_collector = true
default_user = {user}
default_pass = {password}
loopback_users = none
log.console = true
log.file = false
{membership.configuration if membership else ""}"""
    files = {
        ".erlang.cookie": membership.cookie if membership else secrets.token_hex(),
        "enabled_plugins": "[rabbitmq_management].",
        "rabbitmq.conf": configuration,
    }
    for name, content in files.items():
        file = home / name
        file.touch(mode=0o600)
        file.write_text(content)
        if account:
            account.own(file)


def _environment(home: Path, *, name: str, names: int, distribution: int) -> dict[str, str]:
    dist_interface = "{" + HOST.replace(".", ",") + "}"
    return {
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"{name}@{_NODE_HOST}",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONF_ENV_FILE": str(home / "no-rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "no-advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ALLOW_INPUT": "true",
        # loading its thousand modules is a thousand short waits; sleeping in each would take a second or two
        "RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD": "short",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            f"-noinput -kernel inet_dist_use_interface {dist_interface} {_SHUTDOWN_SETTINGS} {ERLANG_SETTINGS}"
        ),
    }


def _open_files() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
