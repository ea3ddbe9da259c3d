"""User text is shown literally, whatever it holds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rendering.escaping import clean, escape, escape_description, is_blank, utf16_length

ANY_TEXT = st.text(st.characters(), max_size=400)  # lone surrogates and control characters too
NASTY = st.lists(
    st.sampled_from(
        ["*", "**", "_", "`", "```", "~~", "||", "\\", "<@1>", "@everyone", "\n# ", "\n- ", "[a](b)", "x", " "]
    )
).map("".join)
LINK = re.compile(r"https?://\S+")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("[click](https://x.example)", "\\[click\\](https:\u200b//x.example)"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("-# no small print", r"\-# no small print"),
        ("a - b # c 1.5", "a - b # c 1.5"),
        ("Zoë and 龍 🐉", "Zoë and 龍 🐉"),
    ],
)
def test_markdown_is_shown_literally(written: str, shown: str) -> None:
    assert escape(written, limit=200) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**Bring** _your_ ~~own~~ dice", "**Bring** _your_ ~~own~~ dice"),
        ("Needs:\n- d20\n  - d6\n1. fun", "Needs:\n- d20\n  - d6\n1. fun"),
        ("[the *rules*](https://x.example/a_b)", "[the *rules*](https://x.example/a_b)"),
        ("[https://good.example](https://x.example)", "[https:\u200b//good.example](https://x.example)"),
        ("[no](javascript:x) [a\nb](https://x.example)", "\\[no\\](javascript:x) \\[a\nb\\](https://x.example)"),
        ("# big\n-# small\n> quote\n`code` ||x||", "\\# big\n\\-# small\n\\> quote\n\\`code\\` \\|\\|x\\|\\|"),
        ("\\[a](https://x.example)", "\\\\[a](https://x.example)"),
        ("<@42> @everyone <t:1:F>", "\\<@\u200b42\\> @\u200beveryone \\<t:1:F\\>"),
    ],
)
def test_a_description_keeps_its_simple_formatting_and_nothing_else(written: str, shown: str) -> None:
    assert escape_description(written, limit=200) == shown


@given(ANY_TEXT | NASTY, st.integers(1, 300))
def test_a_description_never_exceeds_its_limit_or_pings(text: str, limit: int) -> None:
    shown = escape_description(text, limit=limit)
    assert utf16_length(shown) <= limit
    assert "@everyone" not in shown
    assert not re.search(r"(?<!\\)<@", shown)
    assert not re.search(r"(?m)^(#|>|-#)|(?<!\\)[`|]", shown)


@pytest.mark.parametrize("mention", ["@everyone", "@here", "<@42>", "<@!42>", "<@&42>"])
def test_mentions_are_defused(mention: str) -> None:
    shown = escape(f"hi {mention}!", limit=200)
    assert mention not in shown
    assert shown.replace("\u200b", "").replace("\\", "") == f"hi {mention}!"


def test_a_link_in_a_description_stays_intact() -> None:
    sheet = "https://sheets.example/a_b_c/~me?x=1#top"
    assert escape(f"Bring *this*: {sheet}", limit=200, keep_lines=True) == rf"Bring \*this\*: {sheet}"


def test_direction_marks_and_invisible_characters_are_removed() -> None:
    assert clean("a\u202eb\x00c\x1b[31m\ud800") == "abc[31m"


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("", True),
        (" \u200b\u2060", True),
        ("\u3164", True),
        ("\u115f\u1160\uffa0", True),
        ("\u2800", True),
        ("\u0301\u0338", True),
        ("***", True),
        ("||_ _||", True),
        ("-# ", True),
        ("🐉", False),
        ("\U0001fae8", False),
        ("#\ufe0f\u20e3", False),
        ("C#", False),
        ("e\u0301", False),
        ("???", False),
    ],
)
def test_text_without_visible_characters_is_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank


def test_line_breaks_are_kept_only_on_request() -> None:
    assert clean("one\r\n\r\n\r\n\r\ntwo\n", keep_lines=True) == "one\n\ntwo"
    assert clean("one\n two") == "one two"


def test_text_that_fits_is_not_cut() -> None:
    assert escape("abc", limit=3) == "abc"
    assert escape("abcd", limit=3) == "ab…"


@pytest.mark.parametrize("limit", range(1, 12))
def test_a_cut_never_splits_an_escape(limit: int) -> None:
    shown = escape("*_*_*_*", limit=limit)
    assert not shown.removesuffix("…").replace("\\*", "").replace("\\_", "")


@given(ANY_TEXT | NASTY, st.integers(1, 300), st.booleans())
def test_no_text_exceeds_its_limit(text: str, limit: int, keep_lines: bool) -> None:
    assert utf16_length(escape(text, limit=limit, keep_lines=keep_lines)) <= limit


@given(ANY_TEXT | NASTY, st.integers(1, 300))
def test_every_mark_is_escaped_even_in_text_that_is_cut(text: str, limit: int) -> None:
    unescaped = re.sub(r"\\[\\*_~`|\[\]<>#+.-]", "", LINK.sub("", escape(text, limit=limit)))
    assert not set(unescaped) & set("\\*_~`|[]<>")


@given(ANY_TEXT)
def test_escaped_text_can_be_encoded(text: str) -> None:
    escape(text, limit=500, keep_lines=True).encode("utf-8")
