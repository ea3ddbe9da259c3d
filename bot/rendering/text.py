"""What users wrote, made safe to show: it pings nobody, formats nothing and never exceeds Discord's limits.

Text is escaped and cut in one pass over its pieces, because each of the two breaks the other when done apart: a cut
through a finished escape leaves a backslash that swallows our own formatting, and an escape after the cut makes the
text too long again. Dropping everything but letters was rejected: titles are written in every script and with emoji.

Lengths are counted in UTF-16 units, the strictest reading of "characters" that a Discord client has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_ZERO_WIDTH_SPACE = "\u200b"

_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Categories that carry no text: control characters, lone surrogates (which no JSON can hold), odd line breaks."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Direction marks, which could turn our own text around."""

_LINK = r"(?<!\w)https?://[A-Za-z0-9.-]{2,}(?:[/?#:][^\s<>\\`*|]*)?"
_PIECE = re.compile(
    rf"(?P<link>{_LINK})"
    r"|(?P<mention>@(?=everyone|here|[!&]?\d))"
    r"|^(?P<indent>[ \t]*)(?P<list>\d*)(?P<line>[#+.-])"
    r"|(?P<mark>[\\*_~`|\[\]<>])"
    r"|(?P<plain>.)",
    re.MULTILINE | re.DOTALL,
)

_SPECIAL = re.compile(r"[@#+.\-\\*_~`|\[\]<>]|://")
"""What is in every piece that is not plain."""


def length(text: str) -> int:
    """Return the length that counts against Discord's limits."""
    return len(text.encode("utf-16-le")) // 2


def clean(text: str, *, lines: bool = False) -> str:
    """Return the text without what nobody sees: control characters, direction marks, surplus blank space.

    `lines` keeps line breaks, at most one blank line in a row; otherwise they become spaces.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():  # which most are, and then nothing in them is invisible
        text = "".join(char for char in text if char in "\n\t" or not _is_invisible(char))
    if not lines:
        return " ".join(text.split())
    return re.sub(r"\n[ \t]*\n\s*\n", "\n\n", text).strip()


def is_blank(text: str) -> bool:
    """Return whether nothing of a text is seen: it is empty, or of spaces and characters without width."""
    return all(unicodedata.category(char)[0] in "ZC" and unicodedata.category(char) != "Cn" for char in text)


def escaped(text: str, *, limit: int, lines: bool = False) -> str:
    """Return user text as Discord must show it: literally, and within `limit` characters.

    With `lines`, line breaks stay and so do links, which escapes would break; without, a link is shown but not
    followed.
    """
    text = clean(text, lines=lines)
    if not _SPECIAL.search(text) and length(text) <= limit:
        return text
    pieces = list(_pieces(text, links=lines))
    whole = "".join(pieces)
    if length(whole) <= limit:
        return whole
    kept, room = [], limit - length(ELLIPSIS)
    for piece in pieces:
        room -= length(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS


def _pieces(text: str, *, links: bool) -> Iterator[str]:
    for found in _PIECE.finditer(text):
        whole = found.group()
        match found.lastgroup:
            case "link":
                yield whole if links else whole.replace("://", f":{_ZERO_WIDTH_SPACE}//").replace("_", "\\_")
            case "mention":
                yield whole + _ZERO_WIDTH_SPACE
            case "line":
                yield f"{found['indent']}{found['list']}\\{found['line']}"
            case "mark":
                yield f"\\{whole}"
            case _:
                yield whole


def _is_invisible(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in _INVISIBLE
