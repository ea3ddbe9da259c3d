"""Discord's REST API, version 10: the routes that the sandbox implements.

A request to any other route gets a 404 and is recorded, so that a test can assert that a bot needs no other route.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rest import channels, commands, identity, interactions, messages
from sandbox.discord.rest.pipeline import API, Endpoint, Route
from sandbox.discord.rules.errors import not_found

ROUTES: tuple[Route, ...] = (
    *messages.ROUTES,
    *interactions.ROUTES,
    *channels.ROUTES,
    *identity.ROUTES,
    *commands.ROUTES,
)


async def _unimplemented(engine: Engine, request: web.Request) -> web.StreamResponse:
    engine.unimplemented.append(f"{request.method} {request.path.removeprefix(API)}")
    raise not_found()


def add_routes(app: web.Application, engine: Engine) -> None:
    """Serve the API in `app`."""
    for route in ROUTES:
        app.router.add_route(route.method, API + route.path, Endpoint(engine, route).serve)
    anything = Route("*", "/api/{path:.*}", _unimplemented, public=True)
    app.router.add_route(anything.method, anything.path, Endpoint(engine, anything).serve)
