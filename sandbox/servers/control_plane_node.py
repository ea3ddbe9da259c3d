"""Runs etcd and kube-apiserver as processes, with their options and files.

The API server creates its certificate, which its kubeconfig trusts, and its token file has one user, an administrator.
"""

from __future__ import annotations

import base64
import secrets
import ssl
from pathlib import Path

import aiohttp

from sandbox.servers.control_plane_binaries import ControlPlaneBinaries
from sandbox.servers.etcd import etcd_process
from sandbox.servers.network import HOST, free_ports
from sandbox.servers.process import Process

_TOKENS = "tokens.csv"
_SIGNING_KEY = "service-account.key"
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class ControlPlaneNode:
    """A control plane with its files in `home`."""

    def __init__(self, binaries: ControlPlaneBinaries, home: Path, *, logs: Path) -> None:
        etcd_port, port = free_ports(2)
        self.url = f"https://{HOST}:{port}"
        self.token = secrets.token_urlsafe()
        self._certificate = home / "apiserver.crt"
        self._etcd = etcd_process(binaries.etcd, home / "etcd", port=etcd_port, log=logs / "etcd.log")
        self.api_server = Process(
            "kube-apiserver",
            [binaries.kube_apiserver, *_api_server_options(home, port=port, etcd_port=etcd_port)],
            ready=self._is_ready,
            log=logs / "kube-apiserver.log",
        )
        _write_secrets(home, self.token)

    async def start(self) -> None:
        """Start etcd, then the API server."""
        await self._etcd.start()
        await self.api_server.start()

    async def stop(self) -> None:
        """Stop both."""
        await self.api_server.stop()
        await self._etcd.stop()

    def certificate_authority(self) -> str:
        """Return the certificate that clients trust, encoded for a kubeconfig."""
        return base64.b64encode(self._certificate.read_bytes()).decode()

    async def _is_ready(self) -> bool:
        try:
            trusted = ssl.create_default_context(cafile=self._certificate)
        except (FileNotFoundError, ssl.SSLError):  # it has not written it yet, or not all of it
            return False
        return await _answers(f"{self.url}/readyz", token=self.token, trusted=trusted)


def _api_server_options(home: Path, *, port: int, etcd_port: int) -> list[str]:
    return [
        f"--etcd-servers=http://{HOST}:{etcd_port}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={port}",
        f"--cert-dir={home}",
        f"--token-auth-file={home / _TOKENS}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={home / _SIGNING_KEY}",
        f"--service-account-signing-key-file={home / _SIGNING_KEY}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # a loopback address cannot be an endpoint of the kubernetes service
        "--endpoint-reconciler-type=none",
        # no controller creates the default accounts that it requires for every pod
        "--disable-admission-plugins=ServiceAccount",
    ]


def _write_secrets(home: Path, token: str) -> None:
    """Write the files of the options above; nobody else can read `home`."""
    (home / _TOKENS).write_text(f'{token},admin,admin,"system:masters"\n')
    (home / _SIGNING_KEY).write_text(_ec_private_key())


def _ec_private_key() -> str:
    """Return a new P-256 key in PEM: RFC 5915's structure around a random number; the public key is optional.

    It spares a program or a library for one key. A number beyond the curve's order has a chance of 1 in 2**32.
    """
    version, curve = "020101", "a00a06082a8648ce3d030107"
    body = bytes.fromhex(version + "0420") + secrets.token_bytes(32) + bytes.fromhex(curve)
    der = bytes([0x30, len(body)]) + body
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"


async def _answers(url: str, *, token: str, trusted: ssl.SSLContext) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(url, ssl=trusted) as response,
        ):
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
