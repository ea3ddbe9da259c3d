"""What people call a time zone: its IANA name or an old one, a city, a country or an abbreviation.

Names, old names and countries are those of the IANA database, from the package tzdata.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from bot.features.times.words import listed

ABBREVIATIONS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "est": (("America/New_York",), -5),
    "edt": (("America/New_York",), -4),
    "et": (("America/New_York",), None),
    "eastern": (("America/New_York",), None),
    "cst": (("America/Chicago", "Asia/Shanghai"), -6),
    "cdt": (("America/Chicago",), -5),
    "ct": (("America/Chicago",), None),
    "central": (("America/Chicago",), None),
    "mst": (("America/Denver",), -7),
    "mdt": (("America/Denver",), -6),
    "mt": (("America/Denver",), None),
    "mountain": (("America/Denver",), None),
    "pst": (("America/Los_Angeles",), -8),
    "pdt": (("America/Los_Angeles",), -7),
    "pt": (("America/Los_Angeles",), None),
    "pacific": (("America/Los_Angeles",), None),
    "akst": (("America/Anchorage",), -9),
    "akdt": (("America/Anchorage",), -8),
    "hst": (("Pacific/Honolulu",), -10),
    "ast": (("America/Halifax", "Asia/Riyadh"), -4),
    "nst": (("America/St_Johns",), -3.5),
    "brt": (("America/Sao_Paulo",), -3),
    "art": (("America/Argentina/Buenos_Aires",), -3),
    "gmt": (("Europe/London",), 0),
    "wet": (("Europe/Lisbon",), 0),
    "west": (("Europe/Lisbon",), 1),
    "bst": (("Europe/London", "Asia/Dhaka"), 1),
    "cet": (("Europe/Berlin", "Europe/Paris"), 1),
    "cest": (("Europe/Berlin", "Europe/Paris"), 2),
    "mez": (("Europe/Berlin",), 1),
    "mesz": (("Europe/Berlin",), 2),
    "met": (("Europe/Berlin",), 1),
    "eet": (("Europe/Helsinki", "Europe/Athens"), 2),
    "eest": (("Europe/Helsinki", "Europe/Athens"), 3),
    "msk": (("Europe/Moscow",), 3),
    "sast": (("Africa/Johannesburg",), 2),
    "ist": (("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"), None),
    "pkt": (("Asia/Karachi",), 5),
    "sgt": (("Asia/Singapore",), 8),
    "hkt": (("Asia/Hong_Kong",), 8),
    "jst": (("Asia/Tokyo",), 9),
    "kst": (("Asia/Seoul",), 9),
    "awst": (("Australia/Perth",), 8),
    "acst": (("Australia/Adelaide", "Australia/Darwin"), 9.5),
    "acdt": (("Australia/Adelaide",), 10.5),
    "aest": (("Australia/Sydney", "Australia/Brisbane"), 10),
    "aedt": (("Australia/Sydney",), 11),
    "nzst": (("Pacific/Auckland",), 12),
    "nzdt": (("Pacific/Auckland",), 13),
}
"""The zones whose people say so, and the offset in hours that it means literally. "EST" in July may mean either."""

_CITIES = {
    "Europe/Berlin": "munich munchen hamburg frankfurt cologne koln stuttgart dusseldorf leipzig",
    "Europe/Paris": "lyon marseille toulouse bordeaux lille",
    "Europe/London": "manchester birmingham edinburgh glasgow liverpool leeds bristol cardiff",
    "Europe/Madrid": "barcelona valencia seville sevilla",
    "Europe/Rome": "milan milano naples turin",
    "Europe/Amsterdam": "rotterdam the_hague utrecht",
    "Europe/Zurich": "geneva basel bern",
    "Europe/Warsaw": "krakow wroclaw gdansk",
    "Europe/Moscow": "st_petersburg saint_petersburg",
    "Europe/Stockholm": "gothenburg malmo",
    "America/New_York": "nyc boston washington philadelphia atlanta miami orlando charlotte pittsburgh cleveland",
    "America/Chicago": "houston dallas austin san_antonio minneapolis milwaukee st_louis nashville new_orleans",
    "America/Denver": "salt_lake_city albuquerque",
    "America/Los_Angeles": "san_francisco seattle san_diego las_vegas sacramento",
    "America/Toronto": "ottawa quebec",
    "America/Edmonton": "calgary",
    "America/Sao_Paulo": "rio_de_janeiro brasilia belo_horizonte",
    "Asia/Kolkata": "mumbai delhi new_delhi bangalore bengaluru chennai hyderabad",
    "Asia/Shanghai": "beijing shenzhen guangzhou",
    "Asia/Tokyo": "osaka kyoto yokohama nagoya",
    "Asia/Ho_Chi_Minh": "hanoi",
    "Africa/Johannesburg": "cape_town durban pretoria",
    "Pacific/Auckland": "wellington christchurch",
}
"""Large cities after which no zone is named."""

_COUNTRIES = {
    "US": "usa us united_states_of_america america",
    "GB": "uk britain great_britain united_kingdom england scotland wales",
    "CZ": "czechia",
    "KR": "south_korea korea",
    "AE": "uae united_arab_emirates",
    "NL": "holland the_netherlands",
    "DE": "deutschland",
    "ES": "espana",
    "TR": "turkiye",
}
"""Names that the IANA database's table of countries leaves out."""

_NO_CITIES = listed("north south west easter christmas reunion resolute oral center wake midway troll casey davis")
_NO_REGIONS = listed("US Brazil Canada Chile Mexico Etc")
"""Names whose last part is no city, or is also another word."""
_MONTH_FIRST = listed("US PR GU AS VI MP UM FM MH PW")
_BOTH_ORDERS = _MONTH_FIRST | frozenset(("CA", "PH", ""))
_TWELVE_HOURS = _MONTH_FIRST | listed("AU BD CA CO EG HK IN JM JO KR MY NZ PH PK SA SG")
"""Countries whose preferred clock has 12 hours. Source: CLDR, supplemental/timeData.xml"""


@dataclass(frozen=True)
class Customs:
    """How a server's country writes dates and times."""

    month_first: bool
    both_orders: bool
    twelve_hours: bool


def customs_of(zone: str, locale: str | None = None) -> Customs:
    """Return the customs of a zone's country, or of the locale's if the server has not set its zone."""
    country = _tables()[1].get(zone) or (locale or "").partition("-")[2].upper()
    return Customs(
        month_first=country in _MONTH_FIRST,
        both_orders=country in _BOTH_ORDERS,
        twelve_hours=country in _TWELVE_HOURS,
    )


@cache
def list_zones() -> tuple[str, ...]:
    """Return the names of all zones that a country has today, "UTC" first. The first call reads the disk."""
    return ("UTC", *sorted(_tables()[1]))


def fold(text: str) -> str:
    """Return a name in one spelling: lower case, without accents, with spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("_", " ")
    return " ".join("".join(char for char in plain if unicodedata.category(char) != "Mn").split())


@cache
def zones_by_name() -> dict[str, tuple[str, ...]]:
    """Return the zones that each folded name means, without abbreviations."""
    found: dict[str, dict[str, None]] = {}
    for name, zone in _names():
        found.setdefault(fold(name), {})[zone] = None
    return {name: tuple(zones) for name, zones in found.items()}


def distinct(zones: tuple[str, ...], *, now: datetime) -> list[str]:
    """Return the zones without those that have the same time as an earlier one, now and in half a year."""
    by_offsets: dict[object, str] = {}
    for zone in zones:
        info = ZoneInfo(zone)
        offsets = tuple(at.astimezone(info).utcoffset() for at in (now, now + timedelta(days=182)))
        by_offsets.setdefault(offsets, zone)
    return list(by_offsets.values())


def _names() -> Iterator[tuple[str, str]]:
    links, countries, country_names = _tables()
    yield from ((name, "UTC") for name in ("UTC", "UCT", "Zulu", "Etc/UTC"))
    for zone in countries:
        yield from _with_city(zone, zone)
    for old, target in links.items():
        while target in links and target not in countries:
            target = links[target]
        if old not in countries and target in countries and fold(old) not in ABBREVIATIONS:
            yield from _with_city(old, target)
    for zone, cities in _CITIES.items():
        yield from ((city, zone) for city in cities.split())
    for zone, code in countries.items():
        yield from ((name, zone) for name in country_names[code])


def _with_city(name: str, zone: str) -> Iterator[tuple[str, str]]:
    yield name, zone
    region, _, city = name.rpartition("/")
    if region and region not in _NO_REGIONS and fold(city) not in _NO_CITIES:
        yield city, zone


@cache
def _tables() -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Return the links, the country of each zone and the names of each country."""
    folder = files("tzdata") / "zoneinfo"

    def rows(name: str, separator: str | None) -> list[list[str]]:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        return [line.split(separator) for line in lines if line and not line.startswith("#")]

    links = {row[2]: row[1] for row in rows("tzdata.zi", None) if row[0] == "L"}
    countries = {row[2]: row[0] for row in rows("zone.tab", "\t")}
    names = {code: [name, *_COUNTRIES.get(code, "").split()] for code, name in rows("iso3166.tab", "\t")}
    return links, countries, names
