"""Time zones are found in any spelling, or the nearest names are suggested."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.features.errors import UserError
from bot.features.times import find_time_zone, format_zone_choice, search_time_zones

NOW = datetime(2026, 11, 23, 18, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
        ("US/Eastern", "America/New_York"),
        ("us/pacific", "America/Los_Angeles"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("GB", "Europe/London"),
        ("germany", "Europe/Berlin"),
        ("UK", "Europe/London"),
        ("Türkiye", "Europe/Istanbul"),
        ("south korea", "Asia/Seoul"),
        ("munich", "Europe/Berlin"),
        ("München", "Europe/Berlin"),
        ("san francisco", "America/Los_Angeles"),
        ("mumbai", "Asia/Kolkata"),
        ("Tokyo time", "Asia/Tokyo"),
    ],
)
def test_a_zone_is_found_by_its_name_or_city(text: str, name: str) -> None:
    assert find_time_zone(text) == name


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Berlln", "Europe/Berlin"),
        ("Europe/Pariss", "Europe/Paris"),
        ("EST", "Did you mean `America/New_York` (13:02 there now)?"),
        ("ET", "`America/New_York` (13:02 there now)"),
        ("CET", "`Europe/Berlin` (19:02 there now) or `Europe/Paris` (19:02 there now)"),
        ("BST", "`Europe/London` (18:02 there now) or `Asia/Dhaka` (00:02 there now)"),
        ("PST", "`America/Los_Angeles` (10:02 there now)"),
        ("IST", "`Asia/Kolkata` (23:32 there now), `Europe/Dublin`"),
        ("usa", "`America/New_York` (13:02 there now), `America/Chicago` (12:02 there now)"),
        ("Australia", "there now"),
        ("zzz", "`Berlin`"),
    ],
)
def test_an_unknown_zone_is_rejected_with_the_nearest_names(text: str, near: str) -> None:
    with pytest.raises(UserError) as refused:
        find_time_zone(text, now=NOW)
    assert near in str(refused.value)


def test_suggestions_start_with_the_typed_text() -> None:
    assert search_time_zones("lond", limit=3)[0] == "Europe/London"
    assert len(search_time_zones("", limit=25)) == 25


def test_an_abbreviation_suggests_what_it_stands_for_first() -> None:
    assert search_time_zones("PST", limit=3) == ["America/Los_Angeles"]
    assert search_time_zones("ist", limit=3)[0] == "Asia/Kolkata"
    assert "Europe/Istanbul" in search_time_zones("ist", limit=4)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("germany", "Europe/Berlin"),
        ("us/eas", "America/New_York"),
        ("munich", "Europe/Berlin"),
        ("usa", "America/New_York"),
    ],
)
def test_a_country_a_city_and_an_old_name_suggest_their_zone(text: str, first: str) -> None:
    assert search_time_zones(text, limit=25)[0] == first


def test_a_suggestion_shows_the_time_there_now() -> None:
    assert format_zone_choice("Europe/Berlin", now=NOW) == "Europe/Berlin · 19:02 now (CET)"
    assert format_zone_choice("Asia/Kathmandu", now=NOW) == "Asia/Kathmandu · 23:47 now"
    assert all(len(format_zone_choice(zone, now=NOW)) <= 100 for zone in search_time_zones("", limit=1000))


def test_every_suggestion_can_be_entered() -> None:
    for zone in search_time_zones("", limit=1000):
        assert find_time_zone(zone) == zone
