"""The control API under `/sandbox`: what scenarios, tests in other processes and the page use.

It has no authorization: whoever reaches the sandbox may drive it, which is why it listens on the loopback address
unless told otherwise.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.control import judge, people, places
from sandbox.discord.control.requests import Handler, guarded
from sandbox.discord.control.stream import Stream
from sandbox.discord.engine import Engine

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/sandbox/slash", people.slash),
    ("POST", "/sandbox/autocomplete", people.autocomplete),
    ("POST", "/sandbox/click", people.click),
    ("POST", "/sandbox/modal", people.modal),
    ("POST", "/sandbox/say", people.say),
    ("GET", "/sandbox/commands", people.list_commands),
    ("GET", "/sandbox/messages", people.list_messages),
    ("GET", "/sandbox/state", judge.get_state),
    ("GET", "/sandbox/evidence", judge.get_evidence),
    ("GET", "/sandbox/faults", judge.list_faults),
    ("POST", "/sandbox/faults", judge.add_fault),
    ("DELETE", "/sandbox/faults", judge.remove_fault),
    ("DELETE", "/sandbox/faults/{fault_id:\\d+}", judge.remove_fault),
    ("GET", "/sandbox/limits", judge.get_limits),
    ("PATCH", "/sandbox/limits", judge.change_limits),
    ("GET", "/sandbox/attachments/{file_id:\\d+}/{name}", judge.get_file),
    ("POST", "/sandbox/world", places.change_world),
)


def add_routes(app: web.Application, engine: Engine) -> None:
    """Serve the control API in `app`."""
    for method, path, handler in _ROUTES:
        app.router.add_route(method, path, guarded(engine, handler))
    stream = Stream(engine)
    app.router.add_get("/sandbox/events", stream.serve)
    app.on_cleanup.append(stream.close)
