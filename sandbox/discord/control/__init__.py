"""The control API under `/sandbox`, for the page, for scenarios and for tests in other processes.

It has no authentication: anyone who can reach the sandbox can drive it. Therefore it listens on the loopback address by
default.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.control import inspection, users, world_actions
from sandbox.discord.control.requests import Handler, guarded
from sandbox.discord.control.stream import Stream
from sandbox.discord.engine import Engine

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/sandbox/slash", users.slash),
    ("POST", "/sandbox/autocomplete", users.autocomplete),
    ("POST", "/sandbox/click", users.click),
    ("POST", "/sandbox/modal", users.modal),
    ("POST", "/sandbox/say", users.say),
    ("GET", "/sandbox/commands", users.list_commands),
    ("GET", "/sandbox/messages", users.list_messages),
    ("GET", "/sandbox/state", inspection.get_state),
    ("GET", "/sandbox/evidence", inspection.get_evidence),
    ("GET", "/sandbox/faults", inspection.list_faults),
    ("POST", "/sandbox/faults", inspection.add_fault),
    ("DELETE", "/sandbox/faults", inspection.remove_fault),
    ("DELETE", "/sandbox/faults/{fault_id:\\d+}", inspection.remove_fault),
    ("GET", "/sandbox/limits", inspection.get_limits),
    ("PATCH", "/sandbox/limits", inspection.change_limits),
    ("GET", "/sandbox/attachments/{file_id:\\d+}/{name}", inspection.get_file),
    ("PATCH", "/sandbox/gateway", inspection.change_gateway),
    ("POST", "/sandbox/world", world_actions.change_world),
    ("POST", "/sandbox/demo/kill", inspection.kill_process),
)


def add_routes(app: web.Application, engine: Engine) -> None:
    """Serve the control API in `app`."""
    for method, path, handler in _ROUTES:
        app.router.add_route(method, path, guarded(engine, handler))
    stream = Stream(engine)
    app.router.add_get("/sandbox/events", stream.serve)
    app.on_cleanup.append(stream.close)
