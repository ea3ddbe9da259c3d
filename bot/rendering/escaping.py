"""Makes user text safe to show. It pings nobody, never exceeds Discord's limits, and formats nothing but itself.

In descriptions, bold, italics, underlines, strikes, lists and links are left to the user. They end with the
description, which is the last of its field. Headings, quotes, code and spoilers were rejected because they are loud or
change how the escapes after them are read.

Text is escaped and cut in one pass, because a later cut could split an escape and a later escape could exceed the
limit. Dropping everything but letters was rejected because titles have all scripts and emoji.

Lengths are in UTF-16 units, the strictest count of any Discord client.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_ZERO_WIDTH_SPACE = "\u200b"

_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates (invalid in JSON) and odd line breaks."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Direction marks, which could reverse our text."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Hangul fillers and the empty Braille pattern, letters and symbols that look like a space."""
_MARKDOWN = frozenset("*_~`|>#-\\")
_KEYCAP = "\u20e3"

_FORMATTING = frozenset("*_~")
"""Marks that a description may use."""

_LINK = r"(?<!\w)https?://[A-Za-z0-9.-]{2,}(?:[/?#:][^\s<>\\`*|]*)?"
_PIECE = re.compile(
    rf"(?P<named>\[(?P<name>[^\[\]\n]+)\]\((?P<target>https?://[A-Za-z0-9.-]{{2,}}(?:[/?#:][^\s<>\\`*|()]*)?)\))"
    rf"|(?P<link>{_LINK})"
    r"|(?P<mention>@(?=everyone|here|[!&]?\d))"
    r"|^(?P<indent>[ \t]*)(?P<list>\d*)(?P<line>[#+.-])"
    r"|(?P<mark>[\\*_~`|\[\]<>])"
    r"|(?P<plain>.)",
    re.MULTILINE | re.DOTALL,
)

_SPECIAL = re.compile(r"[@#+.\-\\*_~`|\[\]<>]|://")
"""Matches something in every piece that is not plain."""


def utf16_length(text: str) -> int:
    """Return the length that counts against Discord's limits."""
    return len(text.encode("utf-16-le")) // 2


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Return the text without control characters, direction marks and surplus whitespace.

    `keep_lines` keeps line breaks, with at most one blank line in a row.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():  # a printable text has nothing invisible
        text = "".join(char for char in text if char in "\n\t" or not _is_invisible(char))
    if not keep_lines:
        return " ".join(text.split())
    return re.sub(r"\n[ \t]*\n\s*\n", "\n\n", text).strip()


def is_blank(text: str) -> bool:
    """Return whether nothing can be seen of a text, or only Markdown marks."""
    return not any(map(_is_visible, text))


def escape(text: str, *, limit: int, keep_lines: bool = False) -> str:
    """Return user text that Discord shows literally, within `limit` characters.

    `keep_lines` keeps line breaks and clickable links.
    """
    text = clean(text, keep_lines=keep_lines)
    return _join(text, _pieces(text, links=keep_lines), limit=limit)


def escape_description(text: str, *, limit: int) -> str:
    """Return user text with its lines, links and simple formatting, within `limit` characters."""
    text = clean(text, keep_lines=True)
    return _join(text, _pieces(text, links=True, formatting=True), limit=limit)


def _join(text: str, escaped: Iterator[str], *, limit: int) -> str:
    if not _SPECIAL.search(text) and utf16_length(text) <= limit:
        return text
    pieces = list(escaped)
    whole = "".join(pieces)
    if utf16_length(whole) <= limit:
        return whole
    kept, room = [], limit - utf16_length(ELLIPSIS)
    for piece in pieces:
        room -= utf16_length(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS


def _pieces(text: str, *, links: bool, formatting: bool = False) -> Iterator[str]:
    for found in _PIECE.finditer(text):
        whole = found.group()
        match found.lastgroup:
            case "named" if formatting:
                yield f"[{''.join(_pieces(found['name'], links=False, formatting=True))}]({found['target']})"
            case "named":
                yield "\\["
                yield from _pieces(whole[1:], links=links)
            case "link":
                yield whole if links else whole.replace("://", f":{_ZERO_WIDTH_SPACE}//").replace("_", "\\_")
            case "mention":
                yield whole + _ZERO_WIDTH_SPACE
            case "line" if formatting and found["line"] in "-." and text[found.end() : found.end() + 1] == " ":
                yield whole
            case "line":
                yield f"{found['indent']}{found['list']}\\{found['line']}"
            case "mark" if formatting and whole in _FORMATTING:
                yield whole
            case "mark":
                yield f"\\{whole}"
            case _:
                yield whole


def _is_visible(char: str) -> bool:
    category = unicodedata.category(char)
    is_mark = category[0] == "M" and char != _KEYCAP
    return (
        (category[0] not in "ZC" or category == "Cn") and not is_mark and char not in _BLANK and char not in _MARKDOWN
    )


def _is_invisible(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in _INVISIBLE
