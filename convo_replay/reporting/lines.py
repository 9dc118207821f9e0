"""One line on the console: wrapped to the width of a terminal, elsewhere as it is, for grep."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text


def write(console: Console, indent: int, *pieces: Text) -> None:
    """Prints the pieces as one line, `indent` columns from the left."""
    text = Text().join(pieces)
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))
        return
    for part in text.split("\n", allow_blank=True):
        console.print(Text(" " * indent if part else "") + part, soft_wrap=True, crop=False, overflow="ignore")
