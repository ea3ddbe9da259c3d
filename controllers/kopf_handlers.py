"""Kopf's handlers and settings for our kinds in one namespace.

`@kopf.on.event` handlers add no finalizer and write no annotations, so two replicas do not conflict.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import kopf

from controllers.kubernetes_login import Configuration, load_configuration
from controllers.resources.models import GROUP, KINDS, VERSION, Kind, Resource

Observe = Callable[[Resource], None]
Forget = Callable[[str], None]
"""Takes the uid of a deleted resource."""


def build_registry(*, observe: Observe, forget: Forget) -> kopf.OperatorRegistry:
    """Return the handlers in a new registry, because Kopf's default one is global."""
    registry = kopf.OperatorRegistry()
    kopf.on.startup(registry=registry)(_configure)
    kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(_log_in)
    for kind in KINDS:
        kopf.on.event(GROUP, VERSION, kind.plural, id=f"observe-{kind.plural}", registry=registry)(
            _make_handler(kind, observe=observe, forget=forget)
        )
    return registry


async def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False  # the status writer posts Events, on transitions only
    settings.peering.standalone = True  # peered replicas pause one another; ours share the work
    settings.scanning.disabled = True  # watching namespaces and definitions needs a cluster role
    settings.process.ultimate_exiting_timeout = None  # else it kills this process ten minutes after it ends
    settings.networking.request_timeout = 10.0  # the default is five minutes
    settings.networking.connect_timeout = 5.0
    settings.networking.error_backoffs = (1, 1, 2, 3, 3)  # then Kopf ends, and we restart it
    settings.watching.connect_timeout = 5.0
    settings.watching.inactivity_timeout = 70.0  # bookmarks come every minute; without one it is dead
    settings.watching.server_timeout = 300  # for servers without bookmarks; whole seconds only
    settings.watching.client_timeout = 310.0


async def _log_in(**_: Any) -> kopf.ConnectionInfo:
    return connection_info(await asyncio.to_thread(load_configuration))


def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Convert the official client's configuration for Kopf."""
    scheme, _, token = configuration.api_key.get("BearerToken", "").partition(" ")
    return _Connection(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )


class _Connection(kopf.ConnectionInfo):
    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as in `load_configuration`
        return context


def _make_handler(kind: Kind, *, observe: Observe, forget: Forget) -> Callable[..., Any]:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            forget(body["metadata"]["uid"])
        else:
            observe(Resource.from_body(kind, body))

    return handle
