"""Writes the table of rules in docs/validation.md from the catalogue: `python tools/rules_table.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from convo_replay.reporting.findings import severities
from convo_replay.validation.catalogue import all_rules
from convo_replay.validation.findings import Rule

PAGE = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
BEGIN = "<!-- rules: written by tools/rules_table.py -->\n"
END = "<!-- end of rules -->\n"
FORMATS = {"anthropic": "Messages", "openai_chat": "chat", "": "any"}


def table(rules: Iterable[Rule]) -> str:
    """A row for each rule."""
    rows = ["| rule | row | format | severity | holds where nothing is wrong |", "|---|---|---|---|---|"]
    for rule in rules:
        severity = severities(rule)
        cells = (f"`{rule.name}`", rule.number, FORMATS.get(rule.format, rule.format), severity, rule.summary)
        rows.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def page(text: str, rules: Iterable[Rule]) -> str:
    """The page with the table of today between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{table(rules)}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8"), all_rules().values()), "utf-8")
