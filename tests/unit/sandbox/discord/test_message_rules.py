"""What a message may be, and whom it pings: rules on plain objects, without HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.discord.engine import Engine, build_engine
from sandbox.discord.rules.errors import ApiError
from sandbox.discord.rules.messages import check_draft, check_revision
from sandbox.discord.world.entities import User
from sandbox.discord.world.messages import Pings

Json = dict[str, Any]


def button(**fields: Any) -> Json:
    return {"type": 2, "style": 1, "label": "Join", "custom_id": "join", **fields}


def row(*parts: Json) -> Json:
    return {"type": 1, "components": list(parts)}


def select(count: int) -> Json:
    options = [{"label": str(number), "value": str(number)} for number in range(count)]
    return {"type": 3, "custom_id": "pick", "options": options}


FIELD = {"name": "n", "value": "v"}
MANY_BUTTONS = [button(custom_id=f"b{number}") for number in range(6)]


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x" * 2000},
        {"content": f"  {'x' * 2000}  "},
        {"embeds": [{"title": "x" * 256, "description": "x" * 4096, "footer": {"text": "x" * 1648}}]},
        {"embeds": [{"fields": [FIELD] * 25}]},
        {"content": "x", "components": [row(*MANY_BUTTONS[:5])]},
        {"content": "x", "components": [row(select(25))]},
        {"content": "x", "components": [row({"type": 2, "style": 5, "label": "Web", "url": "https://example.org"})]},
        {"flags": 1 << 15, "components": [{"type": 10, "content": "text"}]},
        {"content": "x", "allowed_mentions": {"parse": [], "users": [str(n) for n in range(100)]}},
    ],
)
def test_valid_messages_are_accepted(body: Json) -> None:
    check_draft(body, [])


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"content": "x" * 2001}, "content", "BASE_TYPE_MAX_LENGTH"),
        ({"content": 5}, "content", "STRING_TYPE_CONVERT"),
        ({"embeds": [{"title": "x" * 257}]}, "embeds.0.title", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"description": "x" * 4097}]}, "embeds.0.description", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"fields": [FIELD] * 26}]}, "embeds.0.fields", "BASE_TYPE_BAD_LENGTH"),
        ({"embeds": [{"fields": [{"name": "n", "value": ""}]}]}, "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"),
        ({"embeds": [{"fields": [{"name": "n", "value": "x" * 1025}]}]}, "embeds.0.fields.0.value", None),
        ({"embeds": [{"author": {"name": "x" * 257}}]}, "embeds.0.author.name", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds", "BASE_TYPE_BAD_LENGTH"),
        ({"content": "x", "components": [row(*MANY_BUTTONS)]}, "components.0.components", "BASE_TYPE_BAD_LENGTH"),
        ({"content": "x", "components": [row(select(1))] * 6}, "components", "BASE_TYPE_BAD_LENGTH"),
        ({"content": "x", "components": [button()]}, "components.0.type", "UNION_TYPE_CHOICES"),
        ({"content": "x", "components": [row(button(label="x" * 81))]}, "components.0.components.0.label", None),
        ({"content": "x", "components": [row(button(custom_id=""))]}, "components.0.components.0.custom_id", None),
        (
            {"content": "x", "components": [row(button(custom_id="x" * 101))]},
            "components.0.components.0.custom_id",
            None,
        ),
        ({"content": "x", "components": [row(button(), button())]}, "components", "COMPONENT_CUSTOM_ID_DUPLICATED"),
        ({"content": "x", "components": [row(select(26))]}, "components.0.components.0.options", None),
        ({"content": "x", "components": [row(select(2), button())]}, "components.0.components", None),
        ({"content": "x", "flags": 1 << 15}, "content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (
            {"content": "x", "allowed_mentions": {"users": [str(n) for n in range(101)]}},
            "allowed_mentions.users",
            "BASE_TYPE_MAX_LENGTH",
        ),
    ],
)
def test_invalid_messages_are_rejected_with_the_path(body: Json, path: str, code: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        check_draft(body, [])
    assert (refused.value.status, refused.value.code) == (400, 50035)
    node: Any = refused.value.errors
    for step in path.split("."):
        node = node[step]
    codes = [error["code"] for error in node["_errors"]]
    assert code is None or code in codes


@pytest.mark.parametrize("body", [{}, {"content": "  \n "}, {"content": "", "embeds": [], "components": []}])
def test_an_empty_message_is_refused(body: Json) -> None:
    with pytest.raises(ApiError, match="Cannot send an empty message"):
        check_draft(body, [])


def test_all_errors_of_a_body_are_reported_at_once() -> None:
    with pytest.raises(ApiError) as refused:
        check_draft({"content": "x" * 2001, "nonce": "n" * 26, "embeds": [{"title": "t" * 257}]}, [])
    assert set(refused.value.errors or {}) == {"content", "nonce", "embeds"}


@pytest.fixture
def engine() -> Engine:
    return build_engine(token="t")


def pings(engine: Engine, content: str, *, where: str = "game-night", author: User | None = None, **body: Any) -> Pings:
    draft = check_draft({"content": content, **body}, [])
    channel = engine.world.channel(where)
    return engine.messaging.create(channel, author or engine.world.bot, draft).pings


def test_a_mention_pings_unless_allowed_mentions_forbids_it(engine: Engine) -> None:
    mia, jonas = engine.world.user("Mia").id, engine.world.user("Jonas").id
    text = f"<@{mia}> and <@!{jonas}>"
    assert pings(engine, text).users == (mia, jonas)
    assert pings(engine, text, allowed_mentions={"parse": []}).users == ()
    assert pings(engine, text, allowed_mentions={"parse": [], "users": [str(jonas)]}).users == (jonas,)
    assert pings(engine, text, allowed_mentions={"parse": ["roles"]}).users == ()


def test_allowed_mentions_without_a_mention_in_the_text_ping_nobody(engine: Engine) -> None:
    mia = engine.world.user("Mia").id
    assert pings(engine, "nobody here", allowed_mentions={"users": [str(mia)]}) == Pings()


def test_embeds_and_code_do_not_ping(engine: Engine) -> None:
    mia = engine.world.user("Mia").id
    assert pings(engine, "look", embeds=[{"description": f"<@{mia}> @everyone"}]) == Pings()
    assert pings(engine, f"`<@{mia}>` ```<@{mia}> @everyone```") == Pings()


def test_text_components_ping(engine: Engine) -> None:
    mia = engine.world.user("Mia").id
    shown = [{"type": 17, "components": [{"type": 10, "content": f"<@{mia}>"}]}]
    assert pings(engine, "", flags=1 << 15, components=shown).users == (mia,)


def test_users_outside_the_guild_are_not_pinged(engine: Engine) -> None:
    stranger = engine.world.add_user("Stranger").id
    assert pings(engine, f"<@{stranger}> <@123>") == Pings()


def test_only_members_with_the_permission_can_ping_everyone(engine: Engine) -> None:
    assert pings(engine, "@everyone come").everyone
    assert pings(engine, "@here come").everyone
    assert not pings(engine, "@everyone come", allowed_mentions={"parse": ["users"]}).everyone
    assert not pings(engine, "@everyone come", author=engine.world.user("Ben")).everyone


def test_a_role_is_pinged_when_it_is_mentionable_or_the_author_may(engine: Engine) -> None:
    guild = next(iter(engine.world.guilds.values()))
    roles = {role.name: role.id for role in guild.roles.values()}
    text = f"<@&{roles['Players']}> <@&{roles['Keepers']}>"
    assert pings(engine, text).roles == (roles["Players"], roles["Keepers"])
    assert pings(engine, text, author=engine.world.user("Ben")).roles == (roles["Players"],)
    assert pings(engine, text, allowed_mentions={"parse": []}).roles == ()


def test_an_edit_resolves_mentions_again(engine: Engine) -> None:
    mia, jonas = engine.world.user("Mia").id, engine.world.user("Jonas").id
    draft = check_draft({"content": f"<@{mia}>"}, [])
    message = engine.messaging.create(engine.world.channel("game-night"), engine.world.bot, draft)
    engine.messaging.revise(message, check_revision(message, {"embeds": [{"title": "x"}]}, []))
    assert message.pings.users == (mia,)
    engine.messaging.revise(message, check_revision(message, {"content": f"<@{jonas}>"}, []))
    assert message.pings.users == (jonas,)
