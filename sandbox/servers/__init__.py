"""Private servers for the demo and the tests: PostgreSQL, RabbitMQ and a Kubernetes API server.

Each is an async context manager: found or installed at the first use, started on free ports of 127.0.0.1 with a random
password, and gone with all its data at the end, or when our process dies. A setting may give a server instead:
`QUESTBELL_DATABASE_URL`, `QUESTBELL_AMQP_URL`, `QUESTBELL_SANDBOX_KUBECONFIG`. The plain `KUBECONFIG` is not heeded,
for it may lead to a cluster that matters.
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
