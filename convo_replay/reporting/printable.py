"""Recorded text as a terminal may have it.

A cassette can come from anywhere, and a model repeats what it read. An escape sequence in it would
move the cursor, retitle the window or hide a line; a bidirectional override would show a reviewer
other words than are there. Both are shown by name, never sent.
"""

from __future__ import annotations

import re
from typing import Any

from rich.text import Text

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed; DEL; C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u2028\u2029"  # line breaks that are none to a reader of lines
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"  # halves of surrogate pairs; what has no shape
)


def printable(value: Any) -> str:
    """`value` as text without anything that a terminal would act on. Line feeds are kept."""
    text = (value if isinstance(value, str) else str(value)).replace("\r\n", "\n").replace("\t", "    ")
    return _UNSAFE.sub(_named, text)


def one_line(value: Any, width: int) -> str:
    """`printable`, on one line, cut to `width` characters."""
    text = value if isinstance(value, str) else str(value)
    text = " ".join(printable(text[: 4 * width]).split())
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def styled(value: Any, style: str = "") -> Text:
    """Text for rich: square brackets in it are no markup."""
    return Text(printable(value), style=style)


def _named(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
