"""Time zones are found in any spelling, or the nearest names are suggested."""

from __future__ import annotations

import pytest

from bot.features.errors import UserError
from bot.features.times import find_time_zone, search_time_zones


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_a_zone_is_found_by_its_name_or_city(text: str, name: str) -> None:
    assert find_time_zone(text) == name


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Berlln", "Europe/Berlin"),
        ("Europe/Pariss", "Europe/Paris"),
        ("EST", "Did you mean `America/New_York`?"),
        ("zzz", "`Berlin`"),
    ],
)
def test_an_unknown_zone_is_rejected_with_the_nearest_names(text: str, near: str) -> None:
    with pytest.raises(UserError) as refused:
        find_time_zone(text)
    assert near in str(refused.value)


def test_suggestions_start_with_the_typed_text() -> None:
    assert search_time_zones("lond", limit=3)[0] == "Europe/London"
    assert len(search_time_zones("", limit=25)) == 25


def test_an_abbreviation_suggests_what_it_stands_for_first() -> None:
    assert search_time_zones("PST", limit=3) == ["America/Los_Angeles"]
    assert search_time_zones("ist", limit=3)[0] == "Asia/Kolkata"
    assert "Europe/Istanbul" in search_time_zones("ist", limit=3)
