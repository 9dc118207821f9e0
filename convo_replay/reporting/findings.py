"""Findings as text: what a failing test says, and what a run tells at its end.

Whoever reads it has never heard of the rule. So each finding says the rule in a sentence, the place,
what was expected and what was sent, and the API's own words; after that, what can be done about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from convo_replay.reporting.printable import one_line
from convo_replay.validation.catalogue import all_rules
from convo_replay.validation.findings import SEVERITIES, Finding, Rule

_PLACES = 3  # findings of one rule that are told in full
_SENTENCE = 600  # characters of a message, and of what the API says


@dataclass(frozen=True, slots=True)
class Folded:
    """Findings that say the same of several places: the first of them, and how many there are."""

    first: Finding
    count: int


def folded(findings: Iterable[Finding]) -> list[Folded]:
    """Findings of one rule at places that differ in their indexes alone, as one. In the order of the first of each."""
    groups: dict[tuple[str, str, tuple[object, ...]], list[Finding]] = {}
    for finding in findings:
        place = tuple("*" if isinstance(step, int) else step for step in finding.where)
        groups.setdefault((finding.rule, finding.severity, (finding.side, *place)), []).append(finding)
    return [Folded(group[0], len(group)) for group in groups.values()]


def errors_text(what: str, line: str, findings: Sequence[Finding]) -> list[str]:
    """What is wrong with a turn, as lines: first which turn, then each rule that it breaks; errors go first.

    Args:
        what: `turns[1]`, or what else it is.
        line: method and URL of the request.
        findings: of this turn, never empty.
    """
    out = [what + (f": {line}" if line and line != what else "")]
    by_rule: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        by_rule.setdefault(finding.rule, []).append(finding)
    for name, found in by_rule.items():
        rule = all_rules().get(name)
        out.append(f"{name}: {rule.summary}" if rule else name)
        for finding in found[:_PLACES]:
            severity = "" if finding.severity == "error" else f" ({finding.severity})"
            out += [f"  at {_shown(finding.path)}{severity}", f"    {_shown(finding.message)}"]
            if said := answers(finding, rule):
                out.append(f"    {said}")
        if len(found) > _PLACES:
            out.append(f"  and at {len(found) - _PLACES} more, the last is {_shown(found[-1].path)}")
    return out


def invalid_turn(
    turn_name: str,
    line: str,
    findings: Sequence[Finding],
    *,
    nearest: str = "",
    differences: Sequence[str] = (),
    cassette: object = None,
    mode: str = "",
    rerecord: str = "",
    accepted: str = "",
) -> str:
    """The text of an `InvalidTurn`: a request that the API would reject.

    Args:
        nearest: the recorded turn that comes closest; empty for none.
        differences: the paths at which that one differs, with both values.
        accepted: the host that answered it with 2xx all the same, where it is no vendor's own endpoint.
        rerecord: the command that records the cassette anew; empty where that helps nobody.
    """
    # What is no turn is called by its line already.
    out = errors_text(f"{turn_name} is a request that the API rejects", line if line != turn_name else "", findings)
    if accepted:
        out.append(f"{accepted} answered it all the same; the API behind it, or the next gateway, need not")
    if nearest:
        out.append(f"nearest recorded: {nearest}" + ("; it differs in" if differences else ""))
        out += [f"  {difference}" for difference in differences]
    if cassette is not None:
        out.append(f"cassette: {cassette}" + (f" (mode {mode!r})" if mode else ""))
    out.append("to fix: send what the API accepts" + (f", then record: {rerecord}" if rerecord else ""))
    out += _remedies(findings, "if this request is meant to be wrong")
    return "\n".join(out)


def broken_answer(
    turn_name: str,
    line: str,
    findings: Sequence[Finding],
    *,
    cassette: object = None,
    mode: str = "",
    rerecord: str = "",
) -> str:
    """The text of a failure for an answer that is not what the API sends; it is told after the call."""
    out = errors_text(f"{turn_name} was answered with what the API does not send", line, findings)
    if cassette is not None:
        out.append(f"cassette: {cassette}" + (f" (mode {mode!r})" if mode else ""))
    if rerecord:
        out.append(f"to fix: look at it with `convo-replay show`, and record it again: {rerecord}")
    out += _remedies(findings, "if the answer is meant to be so, or the server always answers so")
    return "\n".join(out)


def outvoted(turn_name: str, host: str, findings: Sequence[Finding]) -> str:
    """A line for a request that breaks rules, and that the vendor's own endpoint answered: it has the last word."""
    names = list(dict.fromkeys(finding.rule for finding in findings))
    places = ", ".join(f"{name} at {next(_shown(f.path) for f in findings if f.rule == name)}" for name in names)
    return (
        f"{turn_name}: {host} accepted what breaks {places}. So the rule is wrong or out of date: please report it, "
        f"with the cassette; until then: {ignoring(names)}"
    )


def told(findings: Sequence[Finding]) -> list[str]:
    """A line for each warning, folded: `turns[3]  unknown-field  response.usage.tier  … (12 times)`."""
    lines = []
    for each in folded(findings):
        first = each.first
        turn = f"turns[{first.turn}]  " if first.turn is not None else ""
        times = f" ({each.count} times)" if each.count > 1 else ""
        lines.append(f"{turn}{first.rule}  {_shown(first.path)}  {_shown(first.message)}{times}")
    return lines


def answers(finding: Finding, rule: Rule | None) -> str:
    """What is said to it: `the API answers 400: messages.2: …`, of a response by its client; empty for nothing."""
    if finding.side == "response":
        return f"the SDK says: {_shown(finding.api_error)}" if finding.api_error else ""
    status = f"the API answers {rule.status if rule else 400}"
    if finding.api_error:
        return f"{status}: {_shown(finding.api_error)}"
    return status if finding.severity == "error" else ""


def severities(rule: Rule) -> str:
    """`error; warn behind openrouter, litellm, unknown gateways`: what a rule's findings are, and where else."""
    others: dict[str, list[str]] = {}
    for profile, severity in rule.severities.items():
        if severity != rule.severity:
            others.setdefault(severity, []).append(profile.replace("unknown", "unknown gateways"))
    return "; ".join([rule.severity, *(f"{severity} behind {', '.join(names)}" for severity, names in others.items())])


def ignoring(rules: Iterable[str]) -> str:
    """The setting under which rules say nothing: `ignore_rules=["tool-result-missing"]`."""
    return "ignore_rules=[" + ", ".join(f'"{name}"' for name in rules) + "]"


def near(name: str, rules: Mapping[str, Rule] | None = None) -> list[str]:
    """Names of rules that somebody may have meant."""
    import difflib  # only where a name is wrong

    names = list(all_rules() if rules is None else rules)
    close = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    return close or [known for known in names if set(name.split("-")) & set(known.split("-"))][:5]


def _remedies(findings: Sequence[Finding], when: str) -> Iterator[str]:
    names = list(dict.fromkeys(finding.rule for finding in findings if finding.severity == "error"))
    names = names or list(dict.fromkeys(finding.rule for finding in findings))
    yield f'{when}: {ignoring(names)}; only to be told: validate="warn"'
    yield f"what the rule is about: convo-replay check --explain {names[0]}"


def _shown(text: str) -> str:
    return one_line(text, _SENTENCE)
