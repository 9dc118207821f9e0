"""`convo-replay check` and `--rules`, `--explain`: findings and rules as a person reads them.

By file, then by turn. Warnings that say the same of many places are told once in a file, with their
number: a deprecated model is in each of 300 requests, and the one error must not drown in them.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from convo_replay.checking import Checked
from convo_replay.exchange import Exchange
from convo_replay.providers import wire
from convo_replay.reporting.findings import Folded, answers, folded, ignoring, severities
from convo_replay.reporting.lines import write
from convo_replay.reporting.outcomes import number, status
from convo_replay.reporting.printable import one_line, styled
from convo_replay.validation.catalogue import all_rules
from convo_replay.validation.findings import SEVERITIES, Finding, Rule, Severity

_STYLES: dict[Severity, str] = {"error": "bold red", "warn": "yellow", "info": "dim"}
_SENTENCE = 400  # characters of a message, and of what the API says
_WIDTH = 78


class Lines:
    """Prints JSON, one object on a line: a rule, or a finding."""

    def rule(self, rule: Rule) -> None:
        print(json.dumps(_row(rule)))

    def explained(self, rule: Rule) -> None:
        print(json.dumps({**_row(rule), "why": rule.why}))

    def file(self, checked: Checked) -> None:
        for finding in checked.findings:
            print(json.dumps({"file": str(checked.file), **finding.to_json()}))

    def summary(self) -> None:
        """JSON has none."""


class Page:
    """Prints for a person, file by file, and counts. No colour and no wrapping where nobody watches."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._files = self._exchanges = 0
        self._rules: dict[Severity, Counter[str]] = {severity: Counter() for severity in SEVERITIES}

    def rule(self, rule: Rule) -> None:
        """A row of the catalogue."""
        style = _STYLES[rule.severity]
        of = f"  {rule.number}, {rule.format or 'any format'}, "
        write(self._console, 0, styled(rule.name, "bold"), styled(of), styled(rule.severity, style))
        self._wrapped(4, rule.summary)

    def explained(self, rule: Rule) -> None:
        """All there is to say about a rule."""
        self.rule(rule)
        write(self._console, 0, styled(""))
        self._wrapped(0, rule.why)
        write(self._console, 0, styled(""))
        if said := answers(rule.found((), "", api_error=rule.api_error), rule):
            self._wrapped(0, said)
        self._wrapped(0, f"severity: {severities(rule)}")
        self._wrapped(0, f"source: {rule.source}")
        self._wrapped(0, f"to ignore it: {ignoring([rule.name])}")

    def _wrapped(self, indent: int, text: str) -> None:
        for line in textwrap.wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False):
            write(self._console, indent, styled(line))

    def file(self, checked: Checked) -> None:
        """One cassette; nothing is printed of one without findings."""
        self._files += 1
        self._exchanges += len(checked.exchanges)
        for finding in checked.findings:
            self._rules[finding.severity][finding.rule] += 1
        if not checked.findings:
            return
        write(self._console, 0, styled(f"\n{one_line(checked.file, 300)}", "bold underline"))
        shown, test = -1, ""
        for each in _in_order(checked.findings):
            at = each.first.exchange or 0
            if checked.exchanges[at].test != test:
                test = checked.exchanges[at].test
                write(self._console, 1, styled(one_line(test, 200), "underline"))
            if at != shown:
                shown = at
                self._head(each.first, checked.exchanges[at])
            self._finding(each)

    def summary(self) -> None:
        """How much was looked at, what was found, and where to read more."""
        counts = {severity: rules.total() for severity, rules in self._rules.items()}
        found = [number(counts["error"], "error"), number(counts["warn"], "warning")]
        found += [number(counts["info"], "note")] if counts["info"] else []
        line = f"{number(self._files, 'file')}, {number(self._exchanges, 'exchange')}: {', '.join(found)}"
        worst = next((severity for severity in SEVERITIES if counts[severity]), None)
        if worst is None:
            write(self._console, 0, styled(line))
            return
        write(self._console, 0, styled(f"\n{line}", _STYLES[worst]))
        name = self._rules[worst].most_common(1)[0][0]
        write(self._console, 0, styled(f"what a rule is about: convo-replay check --explain {name}", "dim"))

    def _head(self, finding: Finding, exchange: Exchange) -> None:
        at = finding.exchange
        name = f"turns[{finding.turn}]" if finding.turn is not None else f"exchanges[{at}]"
        model = one_line(wire.string(wire.mapping(exchange.request.json).get("model")), 60)
        outcome = one_line(status(exchange), 60)
        write(
            self._console, 2, styled(name, "bold cyan"), styled(f"  {model}" if model else ""),
            styled(f"  exchange {at}, {outcome or 'no answer'}", "dim"),
        )  # fmt: skip

    def _finding(self, each: Folded) -> None:
        finding, rule = each.first, all_rules().get(each.first.rule)
        where = "answer" if finding.side == "response" else "request"
        where = where if finding.severity == "error" else "file"
        write(
            self._console, 4, styled(f"{finding.severity:<5}", _STYLES[finding.severity]),
            styled(f"  {finding.rule}", "bold"), styled(f"  {one_line(finding.path, 200)}"),
            styled(f"  the first of {each.count:,} like it in this {where}" if each.count > 1 else "", "dim"),
        )  # fmt: skip
        write(self._console, 11, styled(one_line(finding.message, _SENTENCE)))
        if said := answers(finding, rule):
            write(self._console, 11, styled(said, "dim"))


def _row(rule: Rule) -> dict[str, str]:
    return {
        "name": rule.name,
        "number": rule.number,
        "severity": rule.severity,
        "format": rule.format,
        "summary": rule.summary,
        "source": rule.source,
        "api_error": rule.api_error,
    }


def _in_order(found: Sequence[Finding]) -> list[Folded]:
    """By exchange; errors one by one unless they say the same in one exchange, the rest once in the file."""
    out: list[Folded] = []
    errors: dict[int | None, list[Finding]] = {}
    for finding in found:
        if finding.severity == "error":
            errors.setdefault(finding.exchange, []).append(finding)
    for group in errors.values():
        out += folded(group)
    out += folded(finding for finding in found if finding.severity != "error")
    return sorted(out, key=lambda each: (each.first.exchange or 0, SEVERITIES.index(each.first.severity)))
