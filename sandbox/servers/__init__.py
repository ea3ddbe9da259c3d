"""Private servers for the demo and the tests: PostgreSQL, RabbitMQ and a Kubernetes API server.

Each is an async context manager. It finds or installs the server at first use and starts it on free ports of 127.0.0.1
with a random password. The server and its data are removed at the end, or when this process dies. A setting can name an
existing server instead: `QUESTBELL_DATABASE_URL`, `QUESTBELL_AMQP_URL`, `QUESTBELL_SANDBOX_KUBECONFIG`. The plain
`KUBECONFIG` is ignored, because it may belong to a cluster in use.
"""

from __future__ import annotations

from sandbox.servers.control_plane import ControlPlane, control_plane
from sandbox.servers.errors import (
    ServerFailedError,
    ServerIsForeignError,
    ServerNotAvailableError,
)
from sandbox.servers.install import install_all
from sandbox.servers.lifecycle import Report
from sandbox.servers.management_api import QueueFigures
from sandbox.servers.postgres import Postgres, postgres
from sandbox.servers.rabbitmq import RabbitMQ, rabbitmq

__all__ = [
    "ControlPlane",
    "Postgres",
    "QueueFigures",
    "RabbitMQ",
    "Report",
    "ServerFailedError",
    "ServerIsForeignError",
    "ServerNotAvailableError",
    "control_plane",
    "install_all",
    "postgres",
    "rabbitmq",
]
