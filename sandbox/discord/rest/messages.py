"""Messages of a channel: create, read, edit, delete.

Source: https://docs.discord.com/developers/resources/message
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.pipeline import Route, check_old_edit
from sandbox.discord.rest.replies import no_content, reply_json
from sandbox.discord.rules.access import (
    may_change_message,
    may_delete,
    may_send,
    may_send_draft,
    visible_channel,
    visible_message,
)
from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form
from sandbox.discord.rules.messages import check_draft, check_revision
from sandbox.discord.world.entities import Channel
from sandbox.discord.world.messages import Message, MessageHistory
from sandbox.discord.world.payloads import message_json
from sandbox.discord.world.permissions import Permission

MOST_READ = 100
READ_BY_DEFAULT = 50


async def create_message(engine: Engine, request: web.Request) -> web.Response:
    """Send a message."""
    channel = _channel(engine, request)
    may_send(engine.world, channel)
    body, uploads = await read_body(engine, request)
    draft = check_draft(body, uploads)
    may_send_draft(engine.world, channel, draft)
    message = engine.messaging.create(channel, engine.world.bot, draft)
    return reply_json(message_json(engine.world, message))


async def list_messages(engine: Engine, request: web.Request) -> web.Response:
    """Return a page of history, newest first. It is empty for a bot that may not read history."""
    channel = _channel(engine, request)
    if Permission.READ_MESSAGE_HISTORY not in engine.world.permissions(channel, engine.world.bot.id):
        return reply_json("[]")
    page = _page(engine.world.histories[channel.id], request)
    return reply_json(f"[{','.join(message_json(engine.world, message) for message in page)}]")


async def get_message(engine: Engine, request: web.Request) -> web.Response:
    """One message (10008)."""
    return reply_json(message_json(engine.world, _message(engine, request)))


async def edit_message(engine: Engine, request: web.Request) -> web.Response:
    """Edit one of the bot's own messages (50005, 30046)."""
    message = _message(engine, request)
    if message.author is not engine.world.bot:
        raise api_error(50005)
    may_change_message(message.channel)
    body, uploads = await read_body(engine, request)
    revision = check_revision(message, body, uploads)
    check_old_edit(engine, message)
    engine.messaging.revise(message, revision)
    return reply_json(message_json(engine.world, message))


async def delete_message(engine: Engine, request: web.Request) -> web.Response:
    """Delete a message."""
    message = _message(engine, request)
    may_delete(engine.world, message)
    may_change_message(message.channel)
    engine.messaging.delete(message)
    return no_content()


def _channel(engine: Engine, request: web.Request) -> Channel:
    return visible_channel(engine.world, int(request.match_info["channel_id"]))


def _message(engine: Engine, request: web.Request) -> Message:
    return visible_message(engine.world, _channel(engine, request), int(request.match_info["message_id"]))


def _page(history: MessageHistory, request: web.Request) -> list[Message]:
    """Return the messages for `limit` and one of `before`, `after` and `around`, newest first."""
    form = Form()
    wanted = {name: request.query.get(name, "") for name in ("limit", "before", "after", "around")}
    for name, text in wanted.items():
        if text and not text.isdecimal():
            form.add((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake or number.')
    form.refuse()
    numbers = {name: int(text) for name, text in wanted.items() if text}
    limit = numbers.get("limit", READ_BY_DEFAULT)
    if not 1 <= limit <= MOST_READ:
        form.add(("limit",), "NUMBER_TYPE_MAX", f"int value should be between 1 and {MOST_READ}.")
        form.refuse()
    if "after" in numbers:
        return history.after(numbers["after"], limit)[::-1]
    if "around" in numbers:
        half = limit // 2
        older = history.before(numbers["around"] + 1, half + 1)
        return history.after(numbers["around"], half)[::-1] + older
    return history.before(numbers.get("before"), limit)


ROUTES = (
    Route("POST", "/channels/{channel_id:\\d+}/messages", create_message, "create_message"),
    Route("GET", "/channels/{channel_id:\\d+}/messages", list_messages, "read_messages"),
    Route("GET", "/channels/{channel_id:\\d+}/messages/{message_id:\\d+}", get_message, "read_messages"),
    Route("PATCH", "/channels/{channel_id:\\d+}/messages/{message_id:\\d+}", edit_message, "edit_message"),
    Route("DELETE", "/channels/{channel_id:\\d+}/messages/{message_id:\\d+}", delete_message, "delete_message"),
)
