"""State, evidence, faults, limits and the demo over HTTP."""

from __future__ import annotations

import contextlib

from aiohttp import web

from sandbox.discord.control.requests import read_json, take
from sandbox.discord.control.views import faults_view, gateway_view, state_view
from sandbox.discord.engine import Engine
from sandbox.discord.rest.replies import no_content, reply

LONGEST_WAIT = 60.0


async def get_state(engine: Engine, request: web.Request) -> web.Response:
    """Return the whole state except messages."""
    return reply(state_view(engine))


async def get_evidence(engine: Engine, request: web.Request) -> web.Response:
    """`?after=N&wait=seconds`: return what was accepted after record N. With `wait`, wait for the first record."""
    after = int(request.query.get("after", 0))
    wait = min(float(request.query.get("wait", 0)), LONGEST_WAIT)
    if wait:
        with contextlib.suppress(TimeoutError):
            await engine.feed.wait_for(
                lambda: len(engine.evidence.records) > after or engine.closing.is_set(), timeout=wait
            )
    return reply([record.to_json() for record in engine.evidence.after(after)])


async def list_faults(engine: Engine, request: web.Request) -> web.Response:
    """All faults with how often each fired."""
    return reply(faults_view(engine))


async def add_fault(engine: Engine, request: web.Request) -> web.Response:
    """`{"action": {"kind", …}, "match"?, "times"?, "seconds"?, "probability"?, "seed"?, "label"?}`."""
    body = await read_json(request)
    match = body.get("match") or {}
    user_id = engine.world.user(match["user"]).id if match.get("user") else None
    if match.get("channel"):
        body = {**body, "match": {**match, "channel": engine.world.channel(match["channel"]).id}}
    fault = engine.faults.add_json(body, user_id=user_id)
    return reply(fault.to_json(engine.clock.monotonic()), status=201)


async def remove_fault(engine: Engine, request: web.Request) -> web.Response:
    """Turn one fault off, or all of them."""
    fault_id = request.match_info.get("fault_id")
    if fault_id is None:
        engine.faults.clear()
    else:
        engine.faults.remove(int(fault_id))
    return no_content()


async def get_limits(engine: Engine, request: web.Request) -> web.Response:
    """The rate limits: `[limit, seconds]` or null by name."""
    return reply(engine.limiter.limits.to_json())


async def change_limits(engine: Engine, request: web.Request) -> web.Response:
    """Change some rate limits."""
    engine.limiter.limits.update(await read_json(request))
    return reply(engine.limiter.limits.to_json())


async def change_gateway(engine: Engine, request: web.Request) -> web.Response:
    """`{"recommended_shards"?, "max_concurrency"?}`: what `GET /gateway/bot` says."""
    body = await read_json(request)
    engine.gateway.recommended_shards = take(body, "recommended_shards", int, engine.gateway.recommended_shards)
    engine.gateway.max_concurrency = take(body, "max_concurrency", int, engine.gateway.max_concurrency)
    return reply(gateway_view(engine.gateway))


async def kill_process(engine: Engine, request: web.Request) -> web.Response:
    """`{"process"}`: kill a process of the demo. Raises LookupError where there is no demo."""
    name = take(await read_json(request), "process", str)
    if engine.demo is None:
        raise LookupError("only `make demo` has processes to kill")
    await engine.demo.kill(name)
    return no_content()


async def get_file(engine: Engine, request: web.Request) -> web.Response:
    """Return an uploaded file, always as a download because its content is not trusted."""
    file = engine.files.get(int(request.match_info["file_id"]))
    if file is None:
        return web.Response(status=404)
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file.content, headers={**headers, "Content-Type": "application/octet-stream"})
