"""Writes the table of classes in docs/redaction.md from the code: `python tools/classes_table.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from convo_replay.redaction.classes import CLASSES, Class
from convo_replay.redaction.placeholders import OPAQUE_CLASS, make

PAGE = Path(__file__).resolve().parent.parent / "docs" / "redaction.md"
BEGIN = "<!-- classes: written by tools/classes_table.py -->\n"
END = "<!-- end of classes -->\n"
_SHOWN = 18
"""Characters of an example that are shown; the rest would look like a key to whoever scans this page."""
_EXAMPLES = 5


def table(classes: Iterable[Class]) -> str:
    """A row for each class, with the examples of all its entries."""
    entries: dict[str, list[Class]] = {}
    for item in classes:
        entries.setdefault(item.name, []).append(item)
    rows = ["| class | severity | policy | for example | in its place |", "|---|---|---|---|---|"]
    for name, items in entries.items():
        shown = list(dict.fromkeys(_short(item) for item in items if item.example))
        more = f" and {len(shown) - _EXAMPLES} more" if len(shown) > _EXAMPLES else ""
        examples = ", ".join(shown[:_EXAMPLES]) + more
        cells = (f"`{name}`", items[0].severity, items[0].policy, examples, _stead(items[0]))
        rows.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _short(item: Class) -> str:
    if not item.pattern:
        return item.example if "`" in item.example else f"`{item.example}`"
    example = " ".join(item.example.split()).replace("`", "'")
    return f"`{example if len(example) <= _SHOWN else example[:_SHOWN].rstrip() + '…'}`"


def _stead(item: Class) -> str:
    if item.policy != "placeholder":
        return ""
    if item.name == OPAQUE_CLASS:
        return "base64 of its length"
    return ", ".join([f"`{made}`" for made in (make(item.name, 1), *(shape.format(n=1) for _, shape in item.shapes))])


def page(text: str, classes: Iterable[Class]) -> str:
    """The page with the table of today between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{table(classes)}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8"), CLASSES), "utf-8")
