"""The page at `/`: the sandbox as people see a Discord.

Hand-written HTML, CSS and JavaScript, served from the package: no build step and nothing from other hosts, so it works
on a machine without the internet. The content security policy is the second lock behind the page's own escaping: it
lets no script run that is not one of these files.
"""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_STATIC = files("sandbox.discord.page") / "static"


async def _index(request: web.Request) -> web.Response:
    return _file("index.html")


async def _static(request: web.Request) -> web.Response:
    return _file(request.match_info["name"])


def _file(name: str) -> web.Response:
    source = _STATIC / name
    kind = _TYPES.get(name.rpartition(".")[2])
    if kind is None or not source.is_file():
        return web.Response(status=404)
    headers = {
        "Content-Type": kind,
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return web.Response(body=source.read_bytes(), headers=headers)


def add_routes(app: web.Application) -> None:
    """Serve the page in `app`."""
    app.router.add_get("/", _index)
    app.router.add_get("/static/{name:[a-z_]+\\.[a-z]+}", _static)
