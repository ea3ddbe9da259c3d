"""Answers to interactions: the callback, and the webhook of an interaction's token.

These routes have the token in the path and are exempt from the bot's global rate limit.
Source: https://docs.discord.com/developers/interactions/receiving-and-responding#endpoints
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.interactions.interaction import AnswerKind, Interaction
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.pipeline import Route
from sandbox.discord.rest.replies import no_content, reply, reply_json
from sandbox.discord.rules.errors import api_error
from sandbox.discord.world.messages import Message
from sandbox.discord.world.payloads import message_json, message_payload

Json = dict[str, Any]

_TRUE = ("true", "True", "1")


async def answer_interaction(engine: Engine, request: web.Request) -> web.Response:
    """The first answer (10062 too late, 40060 twice)."""
    body, uploads = await read_body(engine, request)
    interaction = engine.interactions.get_for_answer(
        int(request.match_info["interaction_id"]), request.match_info["token"]
    )
    engine.answers.answer(interaction, body, uploads)
    if request.query.get("with_response") in _TRUE:
        return reply(_callback_payload(engine, interaction))
    return no_content()


async def follow_up(engine: Engine, request: web.Request) -> web.Response:
    """Send another message, or fill in a deferred answer."""
    interaction = _interaction(engine, request)
    body, uploads = await read_body(engine, request)
    return reply_json(message_json(engine.world, engine.answers.follow_up(interaction, body, uploads)))


async def get_answer(engine: Engine, request: web.Request) -> web.Response:
    """The answer or a follow-up (10008)."""
    return reply_json(message_json(engine.world, _message(engine, request)))


async def edit_answer(engine: Engine, request: web.Request) -> web.Response:
    """Edit the answer or a follow-up."""
    interaction, message = _interaction(engine, request), _message(engine, request)
    body, uploads = await read_body(engine, request)
    engine.answers.edit(interaction, message, body, uploads)
    return reply_json(message_json(engine.world, message))


async def delete_answer(engine: Engine, request: web.Request) -> web.Response:
    """Delete the answer or a follow-up."""
    engine.answers.delete(_interaction(engine, request), _message(engine, request))
    return no_content()


def _interaction(engine: Engine, request: web.Request) -> Interaction:
    if int(request.match_info["application_id"]) != engine.world.bot.id:
        raise api_error(10015)
    return engine.interactions.get_for_followup(request.match_info["token"])


def _message(engine: Engine, request: web.Request) -> Message:
    return engine.answers.find(_interaction(engine, request), request.match_info["message_id"])


def _callback_payload(engine: Engine, interaction: Interaction) -> Json:
    said: Json = {"id": str(interaction.id), "type": int(interaction.kind)}
    answer: Json = {"interaction": said}
    message = interaction.original
    if message is not None and interaction.answer is not AnswerKind.DEFERRED_UPDATE:
        said["response_message_id"] = str(message.id)
        said["response_message_loading"] = message.loading
        said["response_message_ephemeral"] = message.visible_to is not None
    if message is not None and interaction.answer in (AnswerKind.MESSAGE, AnswerKind.UPDATE):
        answer["resource"] = {"type": int(interaction.answer), "message": message_payload(engine.world, message)}
    elif interaction.answer is not None:
        answer["resource"] = {"type": int(interaction.answer)}
    return answer


_CALLBACK = "/interactions/{interaction_id:\\d+}/{token}/callback"
_WEBHOOK = "/webhooks/{application_id:\\d+}/{token}"
_MESSAGE = _WEBHOOK + "/messages/{message_id:@original|\\d+}"
ROUTES = (
    Route("POST", _CALLBACK, answer_interaction, tokened=True),
    Route("POST", _WEBHOOK, follow_up, "webhook", tokened=True),
    Route("GET", _MESSAGE, get_answer, "webhook", tokened=True),
    Route("PATCH", _MESSAGE, edit_answer, "webhook", tokened=True),
    Route("DELETE", _MESSAGE, delete_answer, "webhook", tokened=True),
)
