"""Installs packages of the distribution without side effects.

Debian's server packages start their service, and PostgreSQL's also creates a cluster. Both would occupy memory and a
well-known port on the user's machine, even after the next boot. The script prevents that while apt runs, restores every
setting it changed, even when interrupted, and disables the services that apt enabled. Unpacking the packages into the
cache was rejected: it needs no root, but Erlang and PostgreSQL find their files by fixed paths and shared libraries.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sandbox.servers.command import run, unbroken
from sandbox.servers.errors import ServerFailedError

_INSTALL_SECONDS = 900.0

_SCRIPT = r"""
set -eu
exec 9</etc/apt && flock 9
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d
kept=$(mktemp -d)
restore() {
  rm -f "$policy" "$clusters/questbell.conf"
  [ ! -e "$kept/policy" ] || cp -a "$kept/policy" "$policy"
  rmdir -p --ignore-fail-on-non-empty "$clusters"
  rm -rf "$kept"
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
[ ! -e "$policy" ] || cp -a "$policy" "$kept/policy"
printf '#!/bin/sh\nexit 101\n' >"$kept/never" && chmod 755 "$kept/never" && mv "$kept/never" "$policy"
mkdir -p "$clusters" && echo 'create_main_cluster = false' >"$clusters/questbell.conf"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2; }
enabled() {
  ! command -v systemctl >/dev/null || systemctl list-unit-files --state=enabled --no-legend |
    grep -Eo '^(postgresql|rabbitmq-server|epmd)\.\S+' | sort
}
enabled >"$kept/enabled"
install "$@" || { apt-get update -q >&2 && install "$@"; }
enabled | comm -13 "$kept/enabled" - | xargs -r systemctl --quiet disable >&2
"""
"""As root, with the packages as arguments: policy-rc.d exits 101 to forbid an action (invoke-rc.d(8))."""


_DOWNLOAD = """
set -eu
mkdir -p "$1" && cd "$1"
apt-get download -q "$2" >&2
dpkg -x "$2"_*.deb . >&2
rm "$2"_*.deb
"""
"""With the directory and the package as arguments: no root is needed, and nothing is installed."""


async def may_install() -> bool:
    """Return whether this machine has apt-get, and root or a sudo without a password."""
    if shutil.which("apt-get") is None:
        return False
    if os.geteuid() == 0:
        return True
    try:
        await run("sudo", "-n", "true", within=5)
    except ServerFailedError:
        return False
    return True


async def install(*packages: str) -> None:
    """Install packages; their services are neither started nor enabled.

    A cancelled installation is finished first: an interrupted dpkg leaves the machine broken.

    Raises:
        ServerFailedError: apt-get failed; the message ends with its last lines.
    """
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    await unbroken(run(*sudo, "sh", "-c", _SCRIPT, "sh", *packages, within=_INSTALL_SECONDS))


async def unpack(package: str, directory: Path) -> Path:
    """Download a package and unpack its files into a new directory, which is returned.

    Raises:
        ServerFailedError: apt-get failed; the message ends with its last lines.
    """
    download = ("sh", "-c", _DOWNLOAD, "sh", directory, package)
    try:
        await run(*download, within=_INSTALL_SECONDS)
    except ServerFailedError:
        if not await may_install():
            raise
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        await run(*sudo, "apt-get", "update", "-q", within=_INSTALL_SECONDS)  # a new machine has no lists of packages
        await run(*download, within=_INSTALL_SECONDS)
    return directory
