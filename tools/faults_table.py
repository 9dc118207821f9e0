"""Writes the table of faults in docs/faults.md from the catalogue: `python tools/faults_table.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from convo_replay.reporting.fault_rows import Row, rows

PAGE = Path(__file__).resolve().parent.parent / "docs" / "faults.md"
BEGIN = "<!-- faults: written by tools/faults_table.py -->\n"
END = "<!-- end of faults -->\n"


def table(faults: Iterable[Row]) -> str:
    """A row for each fault, and for each word of one where that decides."""
    lines = ["| fault | what it does | where | what a client of the SDKs sees |", "|---|---|---|---|"]
    for row in faults:
        seen = "<br>".join(f"{who}: {text}" if who else text for who, text in row.told())
        cells = (f"`{row.spec}`", row.description, row.where, seen)
        lines.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def page(text: str, faults: Iterable[Row]) -> str:
    """The page with the table of today between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{table(faults)}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8"), rows()), "utf-8")
