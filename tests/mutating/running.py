"""Applies the operators of `mutations.toml` to conversations, and compares what the validator says.

A mutant is found where the expected rule fires at the expected path, and did not on the unchanged conversation. A
twin is clean where no error and no warning fires that the unchanged conversation lacks, but for the one it allows.
"""

from __future__ import annotations

import importlib
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convo_replay.exchange import Exchange
from convo_replay.providers import find, wire
from convo_replay.validation.findings import Finding
from convo_replay.validation.history import Validator
from mutating.drafts import Answer, Draft, Place, Stream
from mutating.legal import moved

TABLE = Path(__file__).parents[1] / "mutations.toml"
VENDORS = frozenset({"api.anthropic.com", "api.openai.com"})

Edit = Callable[..., Place | None]


@dataclass(frozen=True)
class Twin:
    """A legal change. `allows`: the one rule that must fire once on it, empty for none."""

    edit: Edit
    args: Mapping[str, Any]
    allows: str


@dataclass(frozen=True)
class Operator:
    """A row of the table, as `mutations.toml` describes its keys."""

    name: str
    number: str
    format: str
    side: str
    description: str
    edit: Edit
    args: Mapping[str, Any]
    given: Mapping[str, Any]
    rules: tuple[str, ...]
    severity: str
    everywhere: bool
    paths: tuple[str, ...]
    needs_answer: str
    unless: str
    twin: Twin


def operators() -> list[Operator]:
    """The rows of the table."""
    return [_operator(row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["operator"]]


def _operator(row: dict[str, Any]) -> Operator:
    twin = row["twin"]
    rule = row["rule"]
    return Operator(
        row["name"],
        row["number"],
        row["format"],
        row["side"],
        row["description"],
        _edit(row["edit"]),
        row.get("args", {}),
        row.get("given", {}),
        tuple([rule] if isinstance(rule, str) else rule),
        row.get("severity", ""),
        row.get("everywhere", False),
        tuple(row["path"]),
        row.get("needs_answer", ""),
        row.get("unless", ""),
        Twin(_edit(twin["edit"]), twin.get("args", {}), twin.get("allows", "")),
    )


def _edit(name: str) -> Edit:
    module, _, function = name.partition(".")
    found: Edit = getattr(importlib.import_module(f"mutating.{module}"), function)
    return found


# --- conversations -----------------------------------------------------------------------------------


@dataclass
class Conversation:
    """The exchanges of one recording up to and including one of them, and what is known about that.

    Attributes:
        exchanges: the last one is to be changed.
        answers: what the model had answered, by place in its history.
    """

    exchanges: list[Exchange]
    answers: Mapping[int, Any]
    _said: dict[str, tuple[set[Finding], Counter[str]]] = field(default_factory=dict)

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def says(self, side: str) -> tuple[set[Finding], Counter[str]]:
        """The findings of the unchanged conversation, and how often each rule."""
        if side not in self._said:
            # A request is judged by what is new in it; a changed one is new from there on.
            before = findings(self.exchanges, side, all=side == "request")
            alone = findings(self.exchanges[-1:], side)
            often = Counter(finding.rule for finding in before) | Counter(finding.rule for finding in alone)
            self._said[side] = {*before, *alone}, often
        return self._said[side]


def conversations(exchanges: Sequence[Exchange]) -> Iterator[Conversation]:
    """One for each exchange of a recording that a model answered."""
    for at, exchange in enumerate(exchanges):
        provider = find(exchange.request)
        if provider is None or not provider.generates(exchange.request) or not 200 <= (exchange.status or 0) < 300:
            continue
        if not all(isinstance(message, dict) for message in exchange.request.json["messages"]):
            continue
        yield Conversation(list(exchanges[: at + 1]), answers(exchanges[: at + 1]))


def answers(exchanges: Sequence[Exchange]) -> dict[int, Any]:
    """What the model had answered, by the place in the last request's history."""
    known = {}
    history = exchanges[-1].request.json["messages"]
    provider = find(exchanges[-1].request)
    for exchange in exchanges[:-1]:
        if find(exchange.request) is not provider or provider is None or (exchange.status or 0) >= 300:
            continue
        if exchange.content_type == wire.FRAMES:
            continue  # Bedrock's streams are not read
        sent = wire.items(wire.mapping(exchange.request.json).get("messages"))
        if 0 < len(sent) < len(history) and history[: len(sent)] == sent:
            known[len(sent)] = provider.reply(exchange).content
    return known


def findings(exchanges: Sequence[Exchange], side: str, *, all: bool = False) -> list[Finding]:
    """What the validator says to one side of the last exchange; `all`: of every one."""
    validator = Validator()
    found: list[Finding] = []
    for at, exchange in enumerate(exchanges):
        last = at == len(exchanges) - 1
        asked = validator.request(exchange.request)
        if side == "request" and (last or all):
            found += asked
        if not last or side != "request":
            answered = validator.response(exchange)
            if side != "request" and (last or all):
                found += answered
    return found


# --- one operator on one conversation ----------------------------------------------------------------


@dataclass
class Result:
    """What came of one operator, over all conversations."""

    operator: Operator
    applied: int = 0
    found: int = 0
    otherwise: int = 0
    missed: int = 0
    twins: int = 0
    twin_errors: int = 0
    twin_warnings: int = 0
    unfit: int = 0
    """Conversations that were not legal before anything was broken: the circumstances are wrong, or a rule is."""
    notes: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        return 100 * self.found / self.applied if self.applied else 0.0

    @property
    def good(self) -> bool:
        """Whether it applied, is found often enough, and its twin is left alone."""
        return self.percent >= 99 and not self.twin_errors and not self.twin_warnings

    def note(self, text: str) -> None:
        self.notes.append(text)


def run(operator: Operator, conversations: Iterable[tuple[str, Conversation]], most: int = 0) -> Result:
    """Applies an operator wherever it applies.

    Args:
        conversations: the name of a recording, a conversation of it.
        most: so many mutants and twins are enough; 0 for all.
    """
    result = Result(operator)
    for name, conversation in conversations:
        if most and result.applied >= most and result.twins >= most:
            break
        provider = find(conversation.last.request)
        if provider is not None and provider.name == operator.format:
            try_on(operator, conversation, result, name)
    return result


def try_on(operator: Operator, conversation: Conversation, result: Result, name: str) -> None:
    """Applies an operator in the first and in the last place where it applies."""
    there = _moved(operator, conversation)
    if there is None:
        return
    seen, fit = [_bytes(there.last)], False
    for first in (False, True):
        place, exchange = _changed(operator.edit, operator.args, there, operator.side, first)
        if place is None or exchange is None or _bytes(exchange) in seen:
            continue
        if operator.needs_answer and place.get(operator.needs_answer) not in there.answers:
            continue
        seen.append(_bytes(exchange))
        fit = _judge(operator, there, exchange, place, result, name) or fit
    if not fit:
        return
    seen = [_bytes(there.last)]
    for first in (False, True):
        place, exchange = _changed(operator.twin.edit, operator.twin.args, there, operator.side, first)
        if place is None or exchange is None or _bytes(exchange) in seen:
            continue
        seen.append(_bytes(exchange))
        _judge_twin(operator, there, exchange, result, name)


def _bytes(exchange: Exchange) -> object:
    return wire.dump(exchange.request.json), exchange.request.headers, exchange.steps


def _moved(operator: Operator, conversation: Conversation) -> Conversation | None:
    if not operator.given:
        return conversation
    key = repr(sorted(operator.given.items(), key=lambda pair: pair[0]))
    cache: dict[str, Conversation | None] = conversation.__dict__.setdefault("moved", {})
    if key not in cache:
        exchanges = moved(conversation.exchanges, operator.given)
        cache[key] = None if exchanges is None else Conversation(exchanges, answers(exchanges))
    return cache[key]


def _changed(
    edit: Edit, args: Mapping[str, Any], conversation: Conversation, side: str, first: bool
) -> tuple[Place | None, Exchange | None]:
    if side == "request":
        draft = Draft(conversation.last.request, first, conversation.answers)
        place = edit(draft, **args)
        return place, replace(conversation.last, request=draft.finished()) if place is not None else None
    is_stream = conversation.last.is_stream
    if side == "document":
        if is_stream or not conversation.last.body.startswith(b"{"):
            return None, None
        answer = Answer(conversation.last, first)
        place = edit(answer, **args)
        return place, answer.finished() if place is not None else None
    if not is_stream:
        return None, None
    stream = Stream(conversation.last, first)
    place = edit(stream, **args) if stream.events else None
    return place, stream.finished() if place is not None else None


def _judge(operator: Operator, base: Conversation, exchange: Exchange, place: Place, result: Result, name: str) -> bool:
    """Counts one mutant; whether the conversation was fit for it."""
    known, often = base.says(operator.side)
    said = findings([*base.exchanges[:-1], exchange], operator.side)
    new = [finding for finding in said if finding not in known]
    if any(_fits(finding, operator, place) for finding in said if finding in known) or any(
        fnmatchcase(rule, operator.unless) for rule in often
    ):
        result.unfit += 1
        return False
    result.applied += 1
    right = [finding for finding in new if _fits(finding, operator, place)]
    official = urlsplit(exchange.request.url).hostname in VENDORS
    if operator.severity and (official or operator.everywhere):
        right = [finding for finding in right if finding.severity == operator.severity]
    where = f"{name} [{len(base.exchanges) - 1}] expected {_expected(operator, place)}, got"
    if right:
        result.found += 1
    elif new:
        result.otherwise += 1
        result.note(f"{where} {'; '.join(_shown(finding) for finding in new[:4])}")
    else:
        result.missed += 1
        result.note(f"{where} nothing new")
    return True


def _judge_twin(operator: Operator, base: Conversation, exchange: Exchange, result: Result, name: str) -> None:
    _, often = base.says(operator.side)
    said = [one for one in findings([*base.exchanges[:-1], exchange], operator.side) if one.severity != "info"]
    more = Counter(finding.rule for finding in said) - often
    allowed = operator.twin.allows
    result.twins += 1
    wrong = {rule: count - (rule == allowed) for rule, count in more.items()}
    new = [finding for finding in said if wrong.get(finding.rule)]
    missing = allowed and not more[allowed]
    if any(finding.severity == "error" for finding in new):
        result.twin_errors += 1
    elif new or missing:
        result.twin_warnings += 1
    if new or missing:
        shown = "; ".join(_shown(finding) for finding in new[:4]) or f"no {allowed}"
        result.note(f"{name} [{len(base.exchanges) - 1}] twin {operator.twin.edit.__name__}: {shown}")


def _fits(finding: Finding, operator: Operator, place: Place) -> bool:
    if not any(fnmatchcase(finding.rule, rule) for rule in operator.rules):
        return False
    return any(_at(finding.where, path.format(**place)) for path in operator.paths)


def _at(where: Sequence[str | int], path: str) -> bool:
    steps = [int(step) if step.isdigit() else step for step in path.split(".")] if path else []
    if steps and steps[-1] == "*":
        return list(where[: len(steps) - 1]) == steps[:-1]
    return list(where) == steps


def _expected(operator: Operator, place: Place) -> str:
    paths = " or ".join(path.format(**place) or "()" for path in operator.paths)
    return f"{'|'.join(operator.rules)} {operator.severity} at {paths}"


def _shown(finding: Finding) -> str:
    return f"{finding.severity} {finding.rule} at {finding.path}: {finding.message[:120]}"


# --- the table ---------------------------------------------------------------------------------------

COLUMNS = ("applied", "found", "other", "missed", "twins", "t.error", "t.warn", "unfit", "%")


def table(results: Sequence[Result]) -> str:
    """One line per operator, and one for all."""
    width = max(len(result.operator.name) for result in results)
    lines = [f"{'operator':{width}} {'number':8}" + "".join(f"{name:>8}" for name in COLUMNS)]
    total = Counter[str]()
    for result in results:
        cells = (
            result.applied, result.found, result.otherwise, result.missed,
            result.twins, result.twin_errors, result.twin_warnings, result.unfit,
        )  # fmt: skip
        total.update(dict(zip(COLUMNS, cells, strict=False)))
        mark = "" if result.good else "  <"
        lines.append(_line(f"{result.operator.name:{width}} {result.operator.number:8}", cells, result.percent) + mark)
    all_cells = [total[name] for name in COLUMNS[:-1]]
    share = 100 * total["found"] / total["applied"] if total["applied"] else 0.0
    lines.append(_line(f"{'all':{width}} {'':8}", all_cells, share))
    return "\n".join(lines)


def _line(start: str, cells: Sequence[int], percent: float) -> str:
    return start + "".join(f"{cell:>8}" for cell in cells) + f"{percent:>8.1f}"
