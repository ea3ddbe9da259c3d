"""The slots of a game: how hosts enter them, and how the announcement shows them within Discord's limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.features.errors import UserError
from bot.features.games.slots import MOST_SLOTS, format_slots, parse_slots
from bot.rendering import Responder
from shared.models import Answer, GameStatus, Slot
from tests.support.announcements import announcement
from tests.unit.bot.test_rendering import GAME_ID, TEXT, assert_within_limits, embed, field, game, pinged

SLOTS = (Slot("Tank", 1, "🛡️"), Slot("Healer", 2), Slot("DPS"))


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("2 tank, 2 healer, 6 dps", [Slot("tank", 2), Slot("healer", 2), Slot("dps", 6)]),
        ("tank 2", [Slot("tank", 2)]),
        ("tank: 2; 3x dps", [Slot("tank", 2), Slot("dps", 3)]),
        ("🛡️ Tank x2", [Slot("Tank", 2, "🛡️")]),
        ("2 🛡️Tank\n⚔️ DPS X6", [Slot("Tank", 2, "🛡️"), Slot("DPS", 6, "⚔️")]),
        ("GM, 👨‍👩‍👧 Family", [Slot("GM"), Slot("Family", None, "👨‍👩‍👧")]),
        ("Team 2 x3", [Slot("Team 2", 3)]),
        ("none", []),
        ("", []),
    ],
)
def test_slots_are_read_as_hosts_write_them(text: str, slots: list[Slot]) -> None:
    assert parse_slots(text) == tuple(slots)
    assert parse_slots(format_slots(slots)) == tuple(slots)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0 tank", "Enter a number from 1 to 500"),
        ("999999 tank", "Enter a number from 1 to 500"),
        ("tank, Tank", "two slots called “Tank”"),
        (", ;", "List them"),
        ("2", "has no name"),
        ("🛡️ x2", "has no name"),
        ("x" * 41, "40 characters at most"),
        ("<:tank:123456789012345678> Tank", "Use a standard one"),
        (", ".join(f"slot {number} x1" for number in range(MOST_SLOTS + 1)), "10 slots at most"),
    ],
)
def test_a_mistake_is_explained(text: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        parse_slots(text)


@given(st.text(max_size=200) | TEXT)
def test_what_was_read_is_written_so_that_it_is_read_again(text: str) -> None:
    try:
        slots = parse_slots(text)
    except UserError:
        return
    assert parse_slots(format_slots(slots)) == slots


class TestAnnouncement:
    def test_the_roster_is_grouped_by_slot(self) -> None:
        responses = [Responder(8, Answer.WAITLISTED, "Tank"), Responder(9, Answer.WAITLISTED, "Tank")]
        slots = {1: "Tank", 2: "DPS", 3: "DPS"}
        shown = announcement(game(slots=SLOTS, capacity=8), [1, 2, 3, 4], responses, slots=slots)
        assert field(shown, "🛡️ Tank 1/1") == "<@1>"
        assert field(shown, "Healer 0/2") == "Nobody yet"
        assert field(shown, "DPS 2") == "<@2>\n<@3>"
        assert field(shown, "No slot yet 1") == "<@4>"
        assert field(shown, "Waitlist 2") == "1. <@8> · 🛡️ Tank\n2. <@9> · 🛡️ Tank"
        assert "4 seats left" in embed(shown)["description"]

    def test_a_game_whose_slots_are_all_full_says_so(self) -> None:
        slots = {1: "Tank", 2: "Healer", 3: "Healer"}
        shown = announcement(game(slots=SLOTS[:2], capacity=8), [1, 2, 3], slots=slots)
        assert "full, but you can join the waitlist" in embed(shown)["description"]

    def test_the_menu_is_below_the_buttons_and_the_last_of_these_carries_the_nonce(self) -> None:
        shown = announcement(game(slots=SLOTS), [1], slots={1: "Tank"}, nonce="n")
        buttons, menu = (row["components"] for row in shown["components"])
        assert buttons[-1]["custom_id"] == f"questbell:edit:{GAME_ID}:n"
        assert menu[0]["custom_id"] == f"questbell:slot:{GAME_ID}"
        assert [(it["label"], it["value"], it["description"]) for it in menu[0]["options"]] == [
            ("🛡️ Tank", "Tank", "1/1 taken"),
            ("Healer", "Healer", "0/2 taken"),
            ("DPS", "DPS", "0 taken"),
        ]

    @given(
        names=st.lists(
            st.text(st.characters(), min_size=1, max_size=40) | st.sampled_from(["*" * 40, "@everyone", "🐉" * 40]),
            min_size=10,
            max_size=10,
            unique_by=lambda name: name.casefold(),
        ),
        players=st.integers(0, 500),
        title=TEXT,
        status=st.sampled_from(GameStatus),
    )
    def test_ten_slots_with_long_names_and_many_players_stay_within_the_limits(
        self, names: list[str], players: int, title: str, status: GameStatus
    ) -> None:
        users = range(2**63 - 1 - 2 * players, 2**63 - 1)
        slots = [Slot(name, 500, "👨‍👩‍👧") for name in names if parse_or_none(name)]
        chosen = {user: names[user % 10] for user in users[:players]}
        responses = [Responder(user, Answer.WAITLISTED, names[user % 10]) for user in users[players:]]
        responses += [Responder(user, Answer.MAYBE) for user in range(2**60, 2**60 + 100)]
        shown = announcement(
            game(title=title, description="_" * 1000, slots=slots, status=status, reminder_offsets=[10080, 60, 30, 10]),
            users[:players],
            responses,
            slots=chosen,
            unconfirmed=users[:players:2],
            offered=users[1:players:2],
            co_hosts=users[:60],
        )
        assert_within_limits(shown)
        assert pinged(shown) == set()
        assert all(
            len(option["label"]) <= 100
            for row in shown["components"][1:]
            for it in row["components"]
            for option in it["options"]
        )


def parse_or_none(name: str) -> tuple[Slot, ...]:
    try:
        return parse_slots(name)
    except UserError:
        return ()
