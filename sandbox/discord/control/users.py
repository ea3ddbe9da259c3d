"""Acting as users over HTTP: commands, buttons, modals, plain messages."""

from __future__ import annotations

import contextlib
from typing import Any

from aiohttp import web

from sandbox.discord.control.requests import read_json, take
from sandbox.discord.control.views import command_view, message_view, result_view
from sandbox.discord.engine import Engine
from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.rest.replies import reply, reply_json
from sandbox.discord.world.messages import MessageHistory
from sandbox.discord.world.world import ChannelRef

Json = dict[str, Any]

MOST_MESSAGES = 200
NEWEST = 2**64


async def slash(engine: Engine, request: web.Request) -> web.Response:
    """`{"user", "command", "options"?, "channel"?, "finish"?}`: run a command."""
    body = await read_json(request)
    options = take(body, "options", dict, {})
    result = await engine.invoker.slash(
        take(body, "user"), _channel_or_first(engine, body), take(body, "command", str), options
    )
    return await _answer(engine, body, result)


async def autocomplete(engine: Engine, request: web.Request) -> web.Response:
    """`{"user", "command", "focused", "options", "channel"?}`: type into an option."""
    body = await read_json(request)
    result = await engine.invoker.autocomplete(
        take(body, "user"),
        _channel_or_first(engine, body),
        take(body, "command", str),
        take(body, "focused", str),
        take(body, "options", dict, {}),
    )
    return await _answer(engine, body, result)


async def click(engine: Engine, request: web.Request) -> web.Response:
    """`{"user", "message", "custom_id", "values"?, "finish"?}`: press a button, or pick in a select."""
    body = await read_json(request)
    result = await engine.invoker.click(
        take(body, "user"), int(take(body, "message")), take(body, "custom_id", str), take(body, "values", list, None)
    )
    return await _answer(engine, body, result)


async def modal(engine: Engine, request: web.Request) -> web.Response:
    """`{"user", "interaction", "values", "finish"?}`: send the modal that an interaction opened."""
    body = await read_json(request)
    result = await engine.invoker.submit_modal(
        take(body, "user"), int(take(body, "interaction")), take(body, "values", dict)
    )
    return await _answer(engine, body, result)


async def say(engine: Engine, request: web.Request) -> web.Response:
    """`{"user", "text", "channel"?}`: write a message."""
    body = await read_json(request)
    channel = engine.world.channel(_channel_or_first(engine, body))
    message = engine.messaging.say(channel, engine.world.user(take(body, "user")), take(body, "text", str))
    return reply_json(message_view(engine, message))


async def list_commands(engine: Engine, request: web.Request) -> web.Response:
    """`?user=&channel=`: the commands that a user is shown."""
    leaves = engine.invoker.commands(request.query["user"], request.query["channel"])
    return reply([command_view(leaf) for leaf in leaves])


async def list_messages(engine: Engine, request: web.Request) -> web.Response:
    """`?channel=&limit=&before=`: the newest messages, or those before one, oldest first, ephemeral ones too."""
    channel = engine.world.channel(request.query["channel"])
    limit = min(int(request.query.get("limit", 100)), MOST_MESSAGES)
    before = int(request.query.get("before", NEWEST))
    history = engine.world.histories.get(channel.id, MessageHistory())
    page = [message for message in history if message.id < before][-limit:]
    return reply_json(f"[{','.join(message_view(engine, message) for message in page)}]")


def _channel_or_first(engine: Engine, body: Json) -> ChannelRef:
    channel: ChannelRef | None = take(body, "channel", default=None)
    return next(iter(engine.world.channels.values())) if channel is None else channel


async def _answer(engine: Engine, body: Json, result: InteractionResult) -> web.Response:
    """Return the result. `finish` is how many seconds to wait for a deferred answer."""
    finish = take(body, "finish", (int, float), 0)
    if finish and result.answered:
        with contextlib.suppress(TimeoutError):  # the result says `finished: false`
            await result.done(timeout=float(finish))
    return reply(result_view(engine, result))
