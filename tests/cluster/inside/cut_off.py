"""Take the network from the controllers of a pod, named first, and let them run on; runs as root on the pod's node.

A NetworkPolicy was rejected: not every cluster enforces one. The links are taken down from within, so that nothing
goes out and nothing comes in, not even an end of a connection. The pod loses its routes, so this cannot be undone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1
IFREQ = "16sh22x"
"""A link's name and flags, as netdevice(7) says; on 64 bits the union is as long as a `struct ifmap`."""


def runs_controllers(process: Path, pod: str) -> bool:
    """Return whether this is the workload's running process in a pod."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if b"controllers" not in words or not any(word.endswith(b"questbell") for word in words):
            return False  # and its environment may be closed to us: it may be the node's own
        return f"HOSTNAME={pod}".encode() in (process / "environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False


def process_of_controllers(pod: str) -> int:
    """Return the process id of the workload on the node."""
    for directory in Path("/proc").glob("[0-9]*"):
        if runs_controllers(directory, pod):
            return int(directory.name)
    raise SystemExit(f"the controllers of {pod} do not run on this node")


def enter_network_of(process: int) -> None:
    """Move this thread into the network namespace of a process. `os.setns` came with Python 3.12 only."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{process}/ns/net").open("rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def take_down(link: str) -> None:
    """Take a link down, whatever else its flags say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack(IFREQ, link.encode(), 0)
        _, flags = struct.unpack(IFREQ, fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(IFREQ, link.encode(), flags & ~IFF_UP))


process = process_of_controllers(sys.argv[1])
enter_network_of(process)
for _, link in socket.if_nameindex():
    if link != "lo":
        take_down(link)
os.kill(process, signal.SIGCONT)
