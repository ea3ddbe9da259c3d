"""Start times mean what their hosts mean, or the hosts are asked."""

from __future__ import annotations

import ast
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.features.errors import UserError
from bot.features.games.commands import GameCommands
from bot.features.times import StartTime, parse_duration, parse_reminder_offsets, parse_start_time, suggest_start_times
from bot.features.times.durations import format_span
from bot.features.times.readings import find_readings
from bot.features.times.zone_names import customs_of

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 11, 23, 19, 2, tzinfo=ZoneInfo(BERLIN))
TABLE = Path(__file__).with_name("start_times.txt")
PLAYING = Path(__file__).parents[3] / "docs" / "playing.md"


@dataclass(frozen=True)
class Case:
    text: str
    expected: str
    zone: str
    now: datetime
    locale: str | None


def read_table() -> Iterator[Case]:
    zone, now, locale = "UTC", MONDAY, None
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("> "):
            _, day, clock, zone, *rest = line.split()
            now = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo(zone))
            locale = rest[0] if rest else None
        elif line and not line.startswith("# ") and line != "#":
            text, expected = line.rsplit(" = ", 1)
            text = ast.literal_eval(text) if text.startswith('"') else text.rstrip(" ")
            yield Case(text, expected, zone, now, locale)


CASES = tuple(read_table())


def parse(text: str, *, zone: str = BERLIN, now: datetime = MONDAY, locale: str | None = None) -> StartTime:
    return parse_start_time(text, zone=zone, now=now, locale=locale)


def refusal(text: str, *, zone: str = BERLIN, now: datetime = MONDAY, locale: str | None = None) -> str:
    with pytest.raises(UserError) as refused:
        parse(text, zone=zone, now=now, locale=locale)
    return str(refused.value)


def show(start: StartTime, zone: str) -> str:
    text = f"{start.at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M:%S}"
    text = text.removesuffix(":00") if text.count(":") == 2 else text
    return text if start.duration is None else f"{text} for {format_span(start.duration)}"


def meaning(case: Case) -> str:
    found = find_readings(case.text, zone=case.zone, now=case.now, customs=customs_of(case.zone, case.locale))
    shown = " | ".join(show(start, case.zone) for start in found.times)
    return shown if found.is_clear else f"asked: {shown}" if shown else "refused"


class TestTable:
    def test_it_is_long(self) -> None:
        assert len(CASES) > 500

    @pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.zone}-{case.now:%m%d}-{case.text!a}")
    def test_every_text_has_its_meaning(self, case: Case) -> None:
        assert meaning(case) == case.expected

    def test_what_is_clear_is_created_and_all_else_is_answered_with_what_to_enter(self) -> None:
        for case in CASES:
            if case.expected.startswith(("asked", "refused")):
                assert "`" in refusal(case.text, zone=case.zone, now=case.now, locale=case.locale), case
            else:
                start = parse(case.text, zone=case.zone, now=case.now, locale=case.locale)
                assert show(start, case.zone) == case.expected
                assert start.at.tzinfo is UTC
                assert start.at > case.now


NOWS = [
    ("2026-12-31 23:59:30", BERLIN),
    ("2027-01-01 00:00", BERLIN),
    ("2028-02-28 23:00", BERLIN),
    ("2028-02-29 12:00", BERLIN),
    ("2027-02-28 12:00", "America/New_York"),
    ("2027-03-21 02:30", BERLIN),
    ("2027-03-28 01:59", BERLIN),
    ("2026-10-25 02:30", BERLIN),
    ("2026-10-18 02:30", BERLIN),
    ("2027-03-14 01:30", "America/New_York"),
    ("2026-11-01 01:30", "America/New_York"),
    ("2026-10-04 01:30", "Australia/Lord_Howe"),
    ("2026-04-05 01:45", "Australia/Lord_Howe"),
    ("2026-09-27 02:00", "Pacific/Chatham"),
    ("2026-11-23 19:31", "Asia/Kathmandu"),
    ("2026-11-27 19:31", "Pacific/Apia"),
    ("2026-11-23 12:00", "UTC"),
]


class TestAdvice:
    @pytest.mark.parametrize(("local", "zone"), NOWS)
    def test_every_example_in_every_answer_is_accepted(self, local: str, zone: str) -> None:
        now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
        examples: dict[str, str] = {}
        for text in dict.fromkeys(case.text for case in CASES):
            try:
                parse(text, zone=zone, now=now, locale="en-US")
            except UserError as refused:
                found = re.findall(r"(?<!\\)`([^`]+)`", str(refused))
                assert found, text
                assert len(str(refused)) < 1500
                examples |= dict.fromkeys(found, text)
        for example_, text in examples.items():
            assert parse(example_, zone=zone, now=now, locale="en-US").at > now, (text, example_)

    @pytest.mark.parametrize(("local", "zone"), NOWS)
    def test_the_examples_of_the_option_and_of_the_page_are_accepted(self, local: str, zone: str) -> None:
        now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
        [create] = [command for command in GameCommands().walk_commands() if command.name == "create"]
        described = {option.name: re.findall("“([^”]+)”", str(option.description)) for option in create.parameters}
        written = {
            option: re.findall("`([^`]+)`", line)
            for option, line in re.findall(r"^\| `(when|duration|reminders)` \| (.*?) \|", PLAYING.read_text(), re.M)
        }
        for examples in (described, written):
            assert len(examples["when"]) >= 3
            for text in examples["when"]:
                parse(text, zone=zone, now=now, locale="de")
            for text in examples["duration"]:
                parse_duration(text)
            for text in examples["reminders"]:
                parse_reminder_offsets(text)

    @pytest.mark.parametrize("text", ["90", "3", "500", "999999999", "0", "long", "", "1s", "8d", "1h 1h"])
    def test_every_example_for_a_duration_is_accepted(self, text: str) -> None:
        with pytest.raises(UserError) as refused:
            parse_duration(text)
        examples = re.findall("`([^`]+)`", str(refused.value))
        assert examples
        for example_ in examples:
            parse_duration(example_)

    @pytest.mark.parametrize(
        "text", ["10", "9999", "99999999", "1d 1h", "1h 30m", "soon", "90s", "31d", "1m,2m,3m,4m,5m,6m"]
    )
    def test_every_example_for_reminders_is_accepted(self, text: str) -> None:
        with pytest.raises(UserError) as refused:
            parse_reminder_offsets(text)
        examples = re.findall("`([^`]+)`", str(refused.value))
        assert examples
        for example_ in examples:
            parse_reminder_offsets(example_)

    def test_a_time_in_the_past_names_the_servers_time_zone(self) -> None:
        assert "I read times in Europe/Berlin" in refusal("today 8am")

    def test_an_error_quotes_the_text_without_formatting_or_mentions(self) -> None:
        message = refusal("**@everyone**")
        assert "**" not in message
        assert "@everyone" not in message

    def test_the_part_that_is_not_understood_is_named(self) -> None:
        assert "“bring snacks”" in refusal("friday 8pm, bring snacks")


class TestSuggestions:
    @pytest.mark.parametrize("minutes", [0, 1, 30])
    def test_what_is_picked_is_read_as_precisely_that_even_later(self, minutes: int) -> None:
        for case in CASES:
            if case.expected == "refused":
                continue
            later = case.now + timedelta(minutes=minutes)
            found = find_readings(case.text, zone=case.zone, now=case.now, customs=customs_of(case.zone, case.locale))
            picks = suggest_start_times(case.text, zone=case.zone, now=case.now, locale=case.locale)
            assert len(picks) == min(len(found.times), 6)
            for (name, value), start in zip(picks, found.times, strict=False):
                assert len(name) <= 100
                assert len(value) <= 100
                if start.at > later.astimezone(UTC):
                    assert parse(value, zone=case.zone, now=later, locale=case.locale) == start, (case, value)

    def test_a_bare_hour_is_offered_in_the_evening_and_in_the_morning(self) -> None:
        assert [value for _name, value in suggest_start_times("friday 8", zone=BERLIN, now=MONDAY)] == [
            "2026-11-27 20:00",
            "2026-11-27 08:00",
        ]

    def test_the_order_of_day_and_month_is_the_servers_custom(self) -> None:
        names = [name for name, _value in suggest_start_times("5/12", zone="America/New_York", now=MONDAY)]
        assert [name.split(",")[0] for name in names] == ["Wed 12 May 2027", "Sat 5 Dec 2026"]
        assert "8:00 PM" in names[0]
        names = [name for name, _value in suggest_start_times("5/12", zone="Europe/London", now=MONDAY)]
        assert [name.split(",")[0] for name in names] == ["Sat 5 Dec 2026", "Wed 12 May 2027"]

    def test_a_text_without_a_meaning_gets_one_line_that_says_why(self) -> None:
        [(name, value)] = suggest_start_times("friday 8ish", zone=BERLIN, now=MONDAY)
        assert "ish" in name
        assert value == "friday 8ish"
        [(name, _)] = suggest_start_times("x" * 4000, zone=BERLIN, now=MONDAY)
        assert "too long" in name
        assert len(name) <= 100


class TestDaylightSaving:
    @pytest.mark.parametrize(
        ("zone", "day", "first", "second"),
        [
            (BERLIN, "2026-10-25", "02:00", "02:59"),
            ("America/New_York", "2026-11-01", "01:00", "01:59"),
            ("Australia/Sydney", "2026-04-05", "02:00", "02:59"),
            ("Australia/Lord_Howe", "2026-04-05", "01:30", "01:59"),
            ("Pacific/Chatham", "2026-04-05", "02:45", "03:44"),
        ],
    )
    def test_a_repeated_time_is_asked_about(self, zone: str, day: str, first: str, second: str) -> None:
        now = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=ZoneInfo(zone)) - timedelta(hours=12)
        customs = customs_of(zone)
        for clock in (first, second):
            found = find_readings(f"{day} {clock}", zone=zone, now=now, customs=customs)
            one, two = found.times
            assert not found.is_clear
            assert {f"{at.astimezone(ZoneInfo(zone)):%H:%M}" for at in (one.at, two.at)} == {clock}
            assert one.at < two.at
            for value in re.findall("`([^`]+)`", refusal(f"{day} {clock}", zone=zone, now=now)):
                assert parse(value, zone=zone, now=now) in (one, two)
        for edge, minutes in ((first, -1), (second, 1)):
            clock = datetime.fromisoformat(f"{day} {edge}") + timedelta(minutes=minutes)
            assert find_readings(f"{clock:%Y-%m-%d %H:%M}", zone=zone, now=now, customs=customs).is_clear

    @pytest.mark.parametrize(
        ("zone", "day", "first", "last"),
        [
            (BERLIN, "2027-03-28", "02:00", "02:59"),
            ("America/New_York", "2027-03-14", "02:00", "02:59"),
            ("Australia/Sydney", "2026-10-04", "02:00", "02:59"),
            ("Australia/Lord_Howe", "2026-10-04", "02:00", "02:29"),
            ("Pacific/Chatham", "2026-09-27", "02:45", "03:44"),
        ],
    )
    def test_a_skipped_time_is_asked_about(self, zone: str, day: str, first: str, last: str) -> None:
        now = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=ZoneInfo(zone)) - timedelta(hours=12)
        for clock in (first, last):
            message = refusal(f"{day} {clock}", zone=zone, now=now)
            assert f"the clocks skip {clock}" in message
            assert len(re.findall("`([^`]+)`", message)) == 2
        for edge, minutes in ((first, -1), (last, 1)):
            local = datetime.fromisoformat(f"{day} {edge}") + timedelta(minutes=minutes)
            at = parse(f"{local:%Y-%m-%d %H:%M}", zone=zone, now=now).at
            assert at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local

    def test_hours_from_now_ignore_clock_changes(self) -> None:
        for day in map(datetime.fromisoformat, ("2027-03-27T12:00", "2026-10-24T12:00")):
            now = day.replace(tzinfo=ZoneInfo(BERLIN))
            assert parse("in 20 hours", now=now).at - now.astimezone(UTC) == timedelta(hours=20)


MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905 -- one line, not twelve
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905 -- one line, not seven
STYLES = [
    "{w} {d} {M} {y} {H}:{mi}",
    "{d} {M} {H}:{mi}",
    "{M} {d}, {y} {h}:{mi} {ap}",
    "{M} {d} {h}:{mi}{ap}",
    "{h}.{mi}{ap} on {w} the {d}th",
    "{w} {h}:{mi}{ap}",
    "{w} {H}:{mi}",
    "{d}/{m} {H}:{mi}",
    "{d}/{m}/{y} {H}:{mi}",
    "{m}/{d} {h}:{mi}{ap}",
    "{d}.{m}. {H}:{mi} Uhr",
    "{d}.{m}.{y} {H}:{mi}",
    "{d}.{m} {H}h{mi}",
    "{y}-{m:02}-{d:02} {H}:{mi}",
    "{y}-{m:02}-{d:02}T{H}:{mi}",
    "the {d}th at {h}:{mi} {ap}",
    "{w} {d} {H}:{mi}",
    "{M} {d} {H}{mi}",
    "le {d} {m} {H}h{mi}",
]
AHEAD = st.integers(min_value=5, max_value=300 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
WORDS = st.lists(
    st.sampled_from(
        [
            *(
                "tomorrow",
                "tonight",
                "today",
                "friday",
                "monday",
                "next",
                "this",
                "mar",
                "so",
                "di",
                "morgen",
                "demain",
            ),
            *("in", "ago", "from now", "day", "days", "hours", "h", "week", "weeks", "3h", "an hour", "and a half"),
            *("2", "8", "5", "11", "8pm", "9am", "20:00", "7:30", "20h", "2.30am", "1930", "90", "99999", "2026"),
            *("noon", "midnight", "evening", "morning", "night", "at", "to", "-", "until", "for", "the", "half"),
            *("5/6", "31/12", "5.12.", "4th", "dec", "may", "00:00", "23:59", "<t:1798000000>"),
            *("z", "+14:00", "-14:00", "est", "utc", "london"),
        ]
    ),
    max_size=6,
).map(" ".join)


class TestAnyText:
    @given(
        ahead=AHEAD, style=st.sampled_from(STYLES), zone=st.sampled_from([BERLIN, "America/New_York", "Asia/Kathmandu"])
    )
    def test_a_written_time_is_read_as_that_time_or_asked_about(self, ahead: timedelta, style: str, zone: str) -> None:
        local = (MONDAY + ahead).astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
        text = style.format(
            w=WEEKDAYS[local.weekday()],
            d=local.day,
            m=local.month,
            M=MONTHS[local.month - 1],
            y=local.year,
            H=f"{local.hour:02}",
            h=local.hour % 12 or 12,
            mi=f"{local.minute:02}",
            ap="am" if local.hour < 12 else "pm",
        )
        try:
            start = parse(text, zone=zone)
        except UserError:
            return
        read = start.at.astimezone(ZoneInfo(zone))
        assert (read.hour, read.minute, start.duration) == (local.hour, local.minute, None)
        if "{w}" in style:
            assert read.weekday() == local.weekday()
        if "{d" in style:
            assert read.day == local.day
        if "{M}" in style or "{m}" in style or "{m:02}" in style:
            assert read.date() == local.date()

    @given(st.text(max_size=100) | WORDS)
    @example("9999-12-31 23:59 -14:00")
    @example("0001-01-01 00:00 +14:00")
    @example("8" * 200)
    @example("\u0660" * 11)
    def test_what_is_accepted_accounts_for_every_number_and_day(self, text: str) -> None:
        try:
            start = parse(text)
        except UserError as refused:
            assert 0 < len(str(refused)) <= 1500
            return
        assert start.at > MONDAY
        zones = [ZoneInfo(BERLIN), ZoneInfo("America/New_York"), ZoneInfo("Europe/London"), UTC]
        zones += [datetime.fromisoformat(f"2026-01-01T00:00{offset}").tzinfo for offset in ("+14:00", "-14:00")]
        accounted = {
            number
            for end in (start.at, start.at + (start.duration or timedelta()), start.at - timedelta(minutes=1))
            for zone in zones
            for number in numbers_of(end.astimezone(zone))
        }
        accounted |= numbers_of_span(start.at - MONDAY) | numbers_of_span(start.duration or timedelta())
        accounted |= {
            (start.at.astimezone(ZoneInfo(BERLIN)).date() - MONDAY.date()).days,
            14,
            int(start.at.timestamp()),
        }
        accounted |= {days // 7 for days in accounted}
        if not re.search(r"[^\x00-\x7f]", text):
            assert {int(number) for number in re.findall(r"\d+", text)} <= accounted

    @given(st.text(max_size=100) | WORDS)
    def test_every_suggestion_is_read_as_itself(self, text: str) -> None:
        found = find_readings(text, zone=BERLIN, now=MONDAY, customs=customs_of(BERLIN))
        picks = suggest_start_times(text, zone=BERLIN, now=MONDAY)
        if found.times:
            assert [parse(value) for _name, value in picks] == list(found.times[:6])
        else:
            assert len(picks) == 1

    def test_no_text_is_slow(self) -> None:
        words = [case.text for case in CASES] + [
            "8-" * 50,
            "so " * 66,
            "may " * 50,
            "a " * 99,
            "in 1h " * 30,
            "8 " * 99,
        ]
        words += ["(" * 200, "1:" * 100, "new york " * 20, "1w1d1h1m1s" * 20, "fri 8-11 " * 20, "x" * 4000]
        spent = []
        for text in words:
            spent.append(min(self._measure(text) for _ in range(3)))
        typical = statistics.median(spent)
        assert typical < 0.003
        # A ratio, because a busy core and the measuring of coverage slow down every text alike.
        assert max(spent) < 200 * typical, words[spent.index(max(spent))]

    def _measure(self, text: str) -> float:
        """Return the processor time of the suggestions for a text, in seconds."""
        began = time.thread_time()
        suggest_start_times(text, zone=BERLIN, now=MONDAY)
        return time.thread_time() - began


def numbers_of(at: datetime) -> set[int]:
    clock = {at.hour, at.hour % 12 or 12, at.minute, at.second, at.hour * 100 + at.minute}
    return clock | {24, at.day, at.month, at.year, at.year % 100}


def numbers_of_span(span: timedelta) -> set[int]:
    seconds = round(span.total_seconds())
    parts = {seconds % 60, seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400, seconds // 86400 % 7}
    return parts | {seconds, seconds // 60, seconds // 3600, seconds // 604800}
