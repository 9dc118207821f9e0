"""Writes the table of rules in docs/verdict.md from the catalogue: `python tools/verdict_table.py`."""

from __future__ import annotations

from pathlib import Path

from convo_replay.verdict.catalogue import all_rules

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verdict.md"
BEGIN = "<!-- rules: written by tools/verdict_table.py -->\n"
END = "<!-- end of rules -->\n"


def table() -> str:
    """A row for each rule."""
    rows = ["| rule | levels | what the client did | from where on |", "|---|---|---|---|"]
    for rule, _ in all_rules().values():
        cells = (f"`{rule.name}`", ", ".join(rule.levels), rule.summary, rule.threshold)
        rows.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """The page with the table of today between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
