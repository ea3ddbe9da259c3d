"""Messages about games: their text, whom they ping, and Discord's limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rendering import (
    Payload,
    Responder,
    cancellation_message,
    change_message,
    drop_out_message,
    game_list_embed,
    nudge_message,
    personal_reminder_message,
    reminder_message,
    server_note,
    split_into_chunks,
)
from bot.rendering.escaping import utf16_length
from bot.rendering.reminder_messages import CLOSED_DMS
from shared.game_search import ListedGame
from shared.models import Answer, Game, GameStatus, Slot
from tests.support.announcements import announcement

START = datetime(2026, 12, 4, 19, 30, tzinfo=UTC)
CLOCK, DATE = f"<t:{int(START.timestamp())}:t>", f"<t:{int(START.timestamp())}:F>"
GAME_ID = UUID("01939b7e-2f5a-7c3d-8e4f-123456789abc")
MENTION = re.compile(r"<@!?(\d+)>")

LARGEST = 2**63 - 1
"""The largest id in the database. Discord's ids have no more digits."""
IDS = st.integers(1, LARGEST)
TEXT = st.text(st.characters(), max_size=300) | st.sampled_from(
    ["@everyone " * 50, "<@42>" * 60, "*" * 300, "```", "🐉" * 300, "https://x.example/" + "a" * 280, ""]
)


def game(**changes: Any) -> Game:
    made = {
        "id": GAME_ID,
        "guild_id": 10,
        "channel_id": 20,
        "message_id": 30,
        "host_id": 40,
        "title": "Curse of Strahd",
        "description": "Bring dice.",
        "scheduled_at": START,
        "zone": "UTC",
        "duration": timedelta(hours=3, minutes=30),
        "capacity": 5,
        "reminder_offsets": [60, 0],
        "status": GameStatus.SCHEDULED,
    }
    return Game(**(made | changes))


def embed(payload: Payload) -> dict[str, Any]:
    [only] = payload["embeds"]
    return only


def field(payload: Payload, name: str) -> str:
    return next(field["value"] for field in embed(payload)["fields"] if field["name"].startswith(name))


def pinged(payload: Payload) -> set[int]:
    """Return whom Discord notifies: mentions in the content that `allowed_mentions` permits."""
    assert payload["allowed_mentions"]["parse"] == []
    allowed = {int(user_id) for user_id in payload["allowed_mentions"].get("users", [])}
    return allowed & {int(found) for found in MENTION.findall(payload.get("content", ""))}


def assert_within_limits(payload: Payload) -> None:
    assert utf16_length(payload.get("content", "")) <= 2000
    assert len(payload["allowed_mentions"].get("users", [])) <= 100
    total = 0
    for shown in payload.get("embeds", []):
        parts = [(shown["title"], 256), (shown["description"], 4096), (shown.get("footer", {"text": ""})["text"], 2048)]
        parts += [(field["name"], 256) for field in shown.get("fields", [])]
        parts += [(field["value"], 1024) for field in shown.get("fields", [])]
        assert len(shown.get("fields", [])) <= 25
        for text, limit in parts:
            assert utf16_length(text) <= limit
            total += utf16_length(text)
        assert all(field["name"].strip() and field["value"].strip() for field in shown.get("fields", []))
    assert total <= 6000


class TestAnnouncement:
    def test_it_shows_the_title_time_duration_host_and_players(self) -> None:
        shown = announcement(game(), [1, 2, 3])
        assert "Curse of Strahd" in embed(shown)["title"]
        assert "Bring dice." in embed(shown)["description"]
        start, end = (int(at.timestamp()) for at in (START, START + timedelta(hours=3, minutes=30)))
        assert field(shown, "When") == f"<t:{start}:F> to <t:{end}:t>\n<t:{start}:R>"
        assert field(shown, "Duration") == "3 hours 30 minutes"
        assert field(shown, "Host") == "<@40>"
        assert field(shown, "Players 3/5") == "<@1>\n<@2>\n<@3>"

    def test_an_open_game_has_buttons_with_its_id(self) -> None:
        [row] = announcement(game(), [])["components"]
        assert [button["custom_id"] for button in row["components"]] == [
            f"questbell:join:{GAME_ID}",
            f"questbell:maybe:{GAME_ID}",
            f"questbell:leave:{GAME_ID}",
            f"questbell:edit:{GAME_ID}",
        ]

    @pytest.mark.parametrize(
        ("status", "line"),
        [
            (GameStatus.IN_PROGRESS, "In progress"),
            (GameStatus.COMPLETED, "Completed"),
            (GameStatus.CANCELLED, "Cancelled"),
        ],
    )
    def test_a_game_that_is_not_open_shows_its_status_and_no_buttons(self, status: GameStatus, line: str) -> None:
        shown = announcement(game(status=status), [1])
        assert line in embed(shown)["description"]
        assert shown["components"] == []

    def test_each_status_has_its_own_colour(self) -> None:
        assert len({embed(announcement(game(status=status), []))["color"] for status in GameStatus}) == len(GameStatus)

    @pytest.mark.parametrize(
        ("capacity", "players", "line"), [(5, 3, "2 seats left"), (5, 4, "1 seat left"), (5, 5, "full")]
    )
    def test_it_shows_how_many_seats_are_left(self, capacity: int, players: int, line: str) -> None:
        assert line in embed(announcement(game(capacity=capacity), range(1, players + 1)))["description"]

    def test_a_game_without_a_limit_shows_only_the_number_of_players(self) -> None:
        assert field(announcement(game(capacity=None), []), "Players 0") == "Nobody yet"

    def test_full_lists_of_all_answers_and_the_longest_text_stay_within_the_limits(self) -> None:
        users = range(2**63 - 2001, 2**63 - 1)
        answers = (Answer.MAYBE, Answer.DECLINED, Answer.WAITLISTED)
        responses = [Responder(user, answer) for user, answer in zip(users[500:], cycle(answers), strict=False)]
        shown = announcement(
            game(title="*" * 100, description="_" * 1000, capacity=500, reminder_offsets=[10080, 1440, 60, 30, 10]),
            users[:500],
            responses,
            unconfirmed=users[:250],
            offered=users[250:500],
            co_hosts=users[:500],
        )
        assert_within_limits(shown)
        assert field(shown, "Waitlist 500").startswith(f"1. <@{users[502]}>\n2. ")
        assert "and " in field(shown, "Maybe 500") and "and " in field(shown, "Can't 500")

    def test_it_shows_the_co_hosts_beside_the_host(self) -> None:
        assert field(announcement(game(), [], co_hosts=[7]), "Co-host") == "<@7>"
        assert field(announcement(game(), [], co_hosts=[7, 8]), "Co-hosts") == "<@7> <@8>"
        many = field(announcement(game(), [], co_hosts=range(10**18, 10**18 + 60)), "Co-hosts")
        assert many.endswith(f"and {60 - len(MENTION.findall(many))} more") and utf16_length(many) <= 200
        assert "Co-host" not in str(announcement(game(), []))

    def test_it_marks_who_has_not_confirmed_and_who_is_only_offered_a_seat(self) -> None:
        shown = announcement(game(), [1, 2, 3], unconfirmed=[2], offered=[3])
        assert field(shown, "Players 3/5") == "<@1>\n<@2> ❔\n<@3> ⏳"
        assert "⏳ 1 player yet to take an offered seat" in embed(shown)["description"]
        assert "⏳" not in embed(announcement(game(status=GameStatus.CANCELLED), [1], offered=[1]))["description"]

    @pytest.mark.parametrize(
        ("is_closed", "waits", "is_disabled"),
        [
            (False, {}, False),
            (True, {}, True),
            (True, {"offered": [2]}, False),
            (True, {"unconfirmed": [2]}, False),
        ],
    )
    def test_once_sign_ups_are_closed_join_is_for_those_who_confirm(
        self, is_closed: bool, waits: dict[str, Any], is_disabled: bool
    ) -> None:
        made = game(slots=[Slot("Tank"), Slot("Healer")])
        buttons, menu = announcement(made, [2], is_closed=is_closed, **waits)["components"]
        assert [button["label"] for button in buttons["components"] if button.get("disabled")] == ["Join"] * is_disabled
        assert menu["components"][0]["disabled"] is is_disabled

    def test_a_long_roster_says_how_many_players_are_not_shown(self) -> None:
        players = range(10**18, 10**18 + 80)
        roster = field(announcement(game(capacity=None), players), "Players 80")
        shown = MENTION.findall(roster)
        assert roster.endswith(f"and {80 - len(shown)} more")
        assert len(shown) > 30

    @given(
        title=TEXT,
        description=TEXT.map(lambda text: text * 10),
        players=st.lists(IDS, unique=True, max_size=500),
        status=st.sampled_from(GameStatus),
        host=IDS,
        responses=st.lists(IDS, unique=True, max_size=500),
        answers=st.lists(st.sampled_from([Answer.MAYBE, Answer.DECLINED, Answer.WAITLISTED]), min_size=1),
    )
    def test_any_announcement_stays_within_the_limits_and_pings_nobody(
        self,
        title: str,
        description: str,
        players: list[int],
        status: GameStatus,
        host: int,
        responses: list[int],
        answers: list[Answer],
    ) -> None:
        shown = announcement(
            game(title=title, description=description, status=status, host_id=host),
            players,
            [Responder(user, answer) for user, answer in zip(responses, cycle(answers), strict=False)],
            unconfirmed=players[::2],
            offered=players[1::2],
            co_hosts=responses,
        )
        assert_within_limits(shown)
        assert pinged(shown) == set()


class TestReminder:
    def remind(self, *, before: timedelta, offset_minutes: int = 30, mentions: Sequence[int] = (1, 2)) -> Payload:
        return reminder_message(game(), offset_minutes=offset_minutes, mentions=mentions, now=START - before)

    @pytest.mark.parametrize(
        ("offset_minutes", "before", "text"),
        [
            (30, timedelta(minutes=30), f"starts in 30 minutes, at {CLOCK}."),
            (30, timedelta(minutes=29, seconds=58), f"starts in 30 minutes, at {CLOCK}."),
            (1440, timedelta(days=1), f"starts in 1 day, on {DATE}."),
            (1440, timedelta(hours=23), f"starts in 23 hours, at {CLOCK}."),
            (90, timedelta(minutes=90), f"starts in 1 hour 30 minutes, at {CLOCK}."),
            (0, timedelta(seconds=-2), "starts now."),
            (30, timedelta(minutes=12), f"starts in 12 minutes, at {CLOCK}."),
            (30, timedelta(seconds=-50), "starts now."),
        ],
    )
    def test_it_says_when_the_game_starts_relative_to_now(
        self, offset_minutes: int, before: timedelta, text: str
    ) -> None:
        shown = self.remind(before=before, offset_minutes=offset_minutes)
        assert f"**Curse of Strahd** {text}" in shown["content"]

    def test_a_late_reminder_before_the_start_says_so(self) -> None:
        assert "18 minutes late" in self.remind(before=timedelta(minutes=12))["content"]
        assert "late" not in self.remind(before=timedelta(minutes=29))["content"]
        assert "late" not in self.remind(before=timedelta(minutes=-4))["content"]

    @pytest.mark.parametrize(
        ("place", "before", "line"),
        [
            ("The *old* library", timedelta(minutes=30), "📍 The \\*old\\* library"),
            ("<#123>", timedelta(minutes=30), "📍 <#123>"),
            ("<#123>", timedelta(0), "Join in <#123>."),
            ("<#123> upstairs", timedelta(0), "📍 \\<#123\\> upstairs"),
        ],
    )
    def test_it_says_where_the_game_is_played(self, place: str, before: timedelta, line: str) -> None:
        made, now = game(place=place), START - before
        shown = (
            reminder_message(made, offset_minutes=0, mentions=(1,), now=now),
            personal_reminder_message(made, due_at=now, mentions=(1,), now=now),
        )
        assert all(line in message["content"].splitlines() for message in shown)

    def test_the_longest_title_link_and_mentions_fit_together(self) -> None:
        made = game(title="*" * 300, guild_id=LARGEST, channel_id=LARGEST, message_id=LARGEST)
        everyone = range(LARGEST - 74, LARGEST + 1)
        shown = reminder_message(
            made, offset_minutes=43200, mentions=everyone, now=START - timedelta(days=5, minutes=1)
        )
        assert_within_limits(shown)
        assert "\\*\\*\\*" in shown["content"]
        assert pinged(shown) == set(everyone)

    def test_notes_are_dropped_before_mentions(self) -> None:
        made = game(title="*" * 300, guild_id=LARGEST, channel_id=LARGEST, message_id=LARGEST)
        options: dict[str, Any] = {
            "offset_minutes": 43200,
            "now": START - timedelta(days=5, minutes=1),
            "notes": [CLOSED_DMS],
        }
        few, many = (reminder_message(made, mentions=range(LARGEST - count, LARGEST), **options) for count in (1, 75))
        assert_within_limits(many)
        assert CLOSED_DMS in few["content"]
        assert CLOSED_DMS not in many["content"]

    def test_it_pings_exactly_its_recipients(self) -> None:
        shown = self.remind(before=timedelta(minutes=30), mentions=[7, 8, 7])
        assert pinged(shown) == {7, 8}
        assert shown["allowed_mentions"]["users"] == ["7", "8"]

    def test_it_links_to_the_announcement(self) -> None:
        content = self.remind(before=timedelta(minutes=30))["content"]
        assert content.endswith("https://discord.com/channels/10/20/30")
        bare = reminder_message(game(message_id=None), offset_minutes=30, mentions=[1], now=START)["content"]
        assert "https://" not in bare

    def test_without_mentions_it_pings_nobody(self) -> None:
        assert self.remind(before=timedelta(minutes=30), mentions=[])["allowed_mentions"] == {"parse": []}

    def test_only_its_start_names_a_time(self) -> None:
        for minutes in range(-1, 3000, 7):
            content = self.remind(before=timedelta(minutes=minutes))["content"]
            assert re.findall(r"<t:\d+:(\w)>", content) in ([], ["t"], ["F"])
            assert ("starts now" in content) == ("<t:" not in content)

    def test_too_many_mentions_for_one_message_are_rejected(self) -> None:
        with pytest.raises(ValueError, match="at most 75"):
            self.remind(before=timedelta(minutes=30), mentions=range(1, 77))

    @given(title=TEXT, roster=st.lists(IDS, max_size=500), minutes=st.integers(-(10**5), 10**5))
    def test_any_reminder_stays_within_the_limits_and_pings_exactly_its_chunk(
        self, title: str, roster: list[int], minutes: int
    ) -> None:
        made = game(title=title, guild_id=LARGEST, channel_id=LARGEST, message_id=LARGEST)
        for mentions in split_into_chunks(roster) or [()]:
            now = START - timedelta(minutes=minutes)
            for shown in (
                reminder_message(made, offset_minutes=30, mentions=mentions, now=now, notes=[CLOSED_DMS]),
                cancellation_message(made, mentions=mentions, notes=[CLOSED_DMS]),
                change_message(made, mentions=mentions, notes=[CLOSED_DMS]),
                nudge_message(made, free_seats=500, mentions=mentions, notes=[CLOSED_DMS]),
            ):
                assert_within_limits(shown)
                assert pinged(shown) == set(mentions)
                assert {int(found) for found in MENTION.findall(shown["content"])} == set(mentions)


def test_a_cancellation_names_the_game_and_its_time_and_pings_its_players() -> None:
    shown = cancellation_message(game(), mentions=[1])
    assert f"**Curse of Strahd** on <t:{int(START.timestamp())}:F> has been cancelled." in shown["content"]
    assert pinged(shown) == {1}


def test_a_nudge_of_a_role_pings_it_and_no_user() -> None:
    shown = nudge_message(game(), free_seats=1, role_id=77)
    assert shown["allowed_mentions"] == {"parse": [], "roles": ["77"]}
    assert "1 seat is free." in shown["content"] and "<@&77>" in shown["content"].splitlines()
    assert "free" not in nudge_message(game(), free_seats=None, role_id=77)["content"]


@given(st.lists(IDS, max_size=300))
def test_chunks_contain_every_user_once_and_in_order(roster: list[int]) -> None:
    parts = split_into_chunks(roster)
    assert [user_id for part in parts for user_id in part] == list(dict.fromkeys(roster))
    assert all(0 < len(part) <= 75 for part in parts)


def listed(**changes: Any) -> ListedGame:
    made = {"guild_id": 10, "channel_id": 20, "message_id": 30, "title": "Curse of Strahd", "scheduled_at": START}
    return ListedGame(**(made | {"capacity": 5, "player_count": 1} | changes))


def test_a_list_shows_each_game_with_its_link_seats_and_time() -> None:
    [line] = game_list_embed([listed()])["description"].split("\n\n")
    assert line.startswith("**[Curse of Strahd](https://discord.com/channels/10/20/30)** · 1/5 players")
    assert f"<t:{int(START.timestamp())}:F>" in line


def test_an_empty_list_says_how_to_create_a_game() -> None:
    assert "/game create" in game_list_embed([])["description"]


@given(st.lists(TEXT, max_size=60))
def test_a_list_of_any_titles_stays_within_the_limits(titles: list[str]) -> None:
    shown = game_list_embed([listed(title=title) for title in titles])
    assert_within_limits({"embeds": [shown], "allowed_mentions": {"parse": []}})


def test_a_new_time_is_named_and_pings_the_players() -> None:
    shown = change_message(game(), mentions=[1])
    assert f"**Curse of Strahd** has a new time: {DATE}." in shown["content"]
    assert pinged(shown) == {1}


def test_a_drop_out_names_who_left_and_who_is_left_and_pings_only_the_host() -> None:
    shown = drop_out_message(game(), left=[7, 8], players=[1, 2, 3], mentions=[40])
    [first, *_] = shown["content"].splitlines()
    assert first == f"👋 <@7> and <@8> can't make it to **Curse of Strahd** on {DATE}. Players: 3/5."
    assert shown["allowed_mentions"]["users"] == ["40"]


@given(title=TEXT, server=TEXT, left=st.lists(IDS, min_size=1, max_size=500, unique=True))
def test_a_drop_out_of_any_size_stays_within_the_limits(title: str, server: str, left: list[int]) -> None:
    shown = drop_out_message(game(title=title), left=left, players=left, mentions=[], notes=[server_note(server)])
    assert_within_limits(shown)
    assert pinged(shown) == set()
    assert "@everyone" not in shown["content"]
