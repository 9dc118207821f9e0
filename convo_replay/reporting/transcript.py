"""A conversation as text for a snapshot: equal for equal conversations, and worth reading as a diff.

One fact, one line. Of each turn only what is new is told. What differs from run to run though nothing
has changed is not told, or told by a name: ids of tool calls are numbered by first appearance,
placeholders of secrets are their class alone, and what `normalize` ignores is `~`, wherever the
application sent it first. Times, hosts, signatures, and whether an answer was streamed, are left out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from convo_replay.cassette.yaml_writer import holds, render
from convo_replay.exchange import Exchange, Json
from convo_replay.matching import Fingerprints
from convo_replay.normalizing import VOLATILE, normalized
from convo_replay.providers import Usage, wire
from convo_replay.redaction.placeholders import classes_only
from convo_replay.reporting import blocks, outcomes
from convo_replay.reporting.news import Listener, News
from convo_replay.reporting.printable import one_line, printable
from convo_replay.reporting.replayed import replayed
from convo_replay.turns import Grouper, Turn

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation


class Transcript:
    """The text of a running conversation, as far as it has come when it is compared: `transcript == snapshot`."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __str__(self) -> str:
        return transcript(replayed(self._conversation), normalize=self._conversation.config.normalize)

    def __eq__(self, other: object) -> bool:
        if self._conversation.is_fault_run and type(other).__module__.partition(".")[0] == "syrupy":
            return True  # what happens under a fault is the verdict's; there is one snapshot, of the plain run
        # A string does not know syrupy's snapshot, and leaves the comparison to it.
        return str(self) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # What syrupy's amber makes of the string: `snapshot == transcript` serializes the object by its repr.
        text = str(self)
        return f"'''\n{text}\n'''" if "\n" in text else repr(text)


def transcript(exchanges: Sequence[Exchange], *, normalize: Sequence[str | tuple[str, Any]] = ("default",)) -> str:
    """The conversation as text, without a line break at its end; no line is empty or ends with a space.

    Args:
        exchanges: redacted, by the start of the request.
        normalize: the conversation's setting of that name.
    """
    if any(not isinstance(each, str) for each in normalize):
        prints = Fingerprints((), normalize)
        exchanges = [_normalized(exchange, prints) for exchange in exchanges]
    grouper, listener = Grouper(), Listener()
    owners = [grouper.add(exchange) for exchange in exchanges]
    page = _Page(volatile="default" in normalize)
    for exchange, owner in zip(exchanges, owners, strict=True):
        if owner is None:
            page.exchange(exchange)
        elif (turn := grouper.turns[owner.index]).attempts[0] is exchange:
            page.turn(listener.hear(turn))
    return "\n".join(page.lines) or "(no exchanges)"


def _normalized(exchange: Exchange, prints: Fingerprints) -> Exchange:
    body = exchange.request.body
    if not isinstance(body, Json):
        return exchange
    return replace(exchange, request=replace(exchange.request, body=Json(prints.normalized(body.value))))


class _Page:
    """The lines so far, and the names that were given in them."""

    def __init__(self, *, volatile: bool) -> None:
        self.lines: list[str] = []
        self._volatile = volatile
        self._sent: set[str] = set()
        """Volatile values that the application said first."""
        self._answered: set[str] = set()
        """Volatile values that a model said first: facts of the answer."""
        self._names: dict[str, str] = {}
        self._systems: dict[str, int] = {}
        self._tools: dict[str, int] = {}

    # --- what is told ------------------------------------------------------------------------------

    def exchange(self, exchange: Exchange) -> None:
        try:
            path = urlsplit(exchange.request.url).path
        except ValueError:
            path = "(no URL)"
        path = _VENDOR_ID.sub(lambda id: f"<{self._name(id[0], id[1])}>", path)
        parts = filter(None, (outcomes.status(exchange), outcomes.broken(exchange)))
        self.lines.append(self._line(f"{exchange.request.method} {path}: {', '.join(parts)}"))

    def turn(self, news: News) -> None:
        turn = news.turn
        self.lines.append(self._line(f"turns[{turn.index}] {turn.model or '(no model)'}"))
        self._setting(news)
        self._request(news)
        for at, attempt in enumerate(turn.attempts[:-1]):
            self._tell(f"← attempt {at}", _outcome(attempt), sent=False)
        self._answer(turn)

    def _setting(self, news: News) -> None:
        """System prompt and tools: once, and what changes."""
        earlier, index = news.earlier, news.turn.index
        system, before = self._clean(news.system), self._clean(earlier.system) if earlier else ""
        if earlier and system != before:
            changes = difflib.ndiff(before.splitlines(), system.splitlines())
            self._tell("→ system, changed", "\n".join(line for line in changes if line[0] in "+-"))
        elif system and not earlier:
            said = self._systems.setdefault(system, index)
            self._tell("→ system", system if said == index else f"as in turns[{said}]")
        tools, offered = blocks.readable(news.tools), blocks.readable(earlier.tools) if earlier else []
        if earlier and tools != offered:
            self._tell("→ tools, changed", "\n".join(_changes(offered, tools)) or "their order")
        elif tools and not earlier:
            said = self._tools.setdefault(wire.dump(tools), index)
            names = "\n".join(map(blocks.signature, tools))
            self._tell("→ tools", names if said == index else f"as in turns[{said}]")

    def _request(self, news: News) -> None:
        if news.earlier is not None:
            index = news.earlier.turn.index
            if not news.continues:
                self._tell("→", f"{outcomes.number(news.known, 'message')} as in turns[{index}]")
            elif not news.messages and not news.left_out and not news.answered:
                self._tell("→", f"the same as in turns[{index}]")
            elif index != news.turn.index - 1:
                self._tell("→", f"continues turns[{index}]")
            if news.left_out:
                self._tell("→", f"without {outcomes.number(news.left_out, 'message')} of before")
            if news.answered and not news.messages:
                self._tell("→", "nothing but the answer, sent back")
        for message in news.messages:
            role = wire.string(message.get("role")) or "(no role)"
            for shown in blocks.of_message(message):
                self._block("→", role, shown)

    def _answer(self, turn: Turn) -> None:
        reply, exchange = turn.response, turn.exchange
        uses = {use.id: use.raw_input for use in reply.tool_uses}
        for shown in map(blocks.of_block, reply.content):
            raw = uses.get(shown.id, "").strip()
            if shown.value == {} and raw and wire.parse(raw) is None:
                shown = replace(shown, value=None, text=raw)
            self._block("←", "", shown)
        status = exchange.status
        if status is None or status >= 300:
            self._tell("←", _outcome(exchange), sent=False)
        elif exchange.end.kind == "cancelled":
            self._tell("←", "left by the client", sent=False)
        elif outcomes.broken(exchange):
            self._tell("← cut off", outcomes.broken(exchange), sent=False)
        if reply.error is not None:
            self._tell("← error", blocks.error(reply.error), sent=False)
        elif not reply.complete and exchange.end.kind == "complete":
            self._tell("←", outcomes.unfinished(exchange), sent=False)
        if reply.stop_reason:
            self._tell("← stop", reply.stop_reason, sent=False)
        if reply.usage != Usage():
            self._tell("← usage", outcomes.tokens(reply.usage), sent=False)

    def _block(self, arrow: str, role: str, shown: blocks.Shown) -> None:
        sent, text = arrow == "→", shown.text
        who = f"{arrow} {role}".rstrip()
        if shown.kind == "text":
            self._tell(f"{who} {shown.label or ('' if role else 'text')}", text, sent=sent)
        elif shown.kind == "thinking":
            self._tell(f"{who} {shown.label}", blocks.folded(self._clean(text, sent=sent)), sent=sent)
        elif shown.kind == "result":
            self._tell(f"{arrow} {self._name(shown.id)} {'failed' if shown.failed else 'result'}", text, sent=sent)
        elif shown.kind == "media":
            text = _VENDOR_ID.sub(lambda id: self._name(id[0], id[1]), text)
            self._tell(f"{who} {shown.label}", text, sent=sent)
        else:
            named = shown.kind == "call" or shown.id
            label = f"{who} {self._name(shown.id)}" if named else who
            if shown.kind == "call" and shown.value is None:
                cut = "  (cut or invalid JSON)" if text.startswith(("{", "[")) else ""
                self._tell(f"{label} {shown.label}", f"{text}{cut}", sent=sent)
            else:
                self._value(label, shown.label, shown.value, sent=sent)

    # --- how it is told ----------------------------------------------------------------------------

    def _tell(self, label: str, text: str, *, sent: bool = True) -> None:
        """A fact: on the line of its label, or in lines of its own where it has several."""
        label = self._line(label)
        colon = "" if label == "→" or label == "←" else ":"
        lines = self._clean(text, sent=sent).strip("\n").rstrip().split("\n")
        if len(lines) == 1:
            self.lines.append(f"  {label}{colon} {lines[0] or '(empty)'}")
        else:
            self._lines(f"{label}{colon}", lines)

    def _value(self, label: str, name: str, value: Any, *, sent: bool) -> None:
        """A JSON value under a name, as in a cassette: on one line where it is short."""
        value = self._cleaned(value, sent=sent)
        named = {one_line(name, 80): value}
        text = render(named) if holds(named) else f"{one_line(name, 80)}: {wire.dump(value)}"
        first, *rest = printable(text).rstrip().split("\n")
        self._lines(f"{self._line(label)} {first}", [line[2:] for line in rest])

    def _lines(self, first: str, rest: Sequence[str]) -> None:
        self.lines.append(f"  {first}")
        self.lines += [f"    │ {line}".rstrip() for line in rest]

    def _line(self, text: str) -> str:
        return one_line(classes_only(text), 200)

    # --- names for what differs from run to run ----------------------------------------------------

    def _name(self, identifier: str, kind: str = "tool") -> str:
        """`tool 1`: the number that an id got when it was told first."""
        if not identifier:
            return kind
        known = self._names.get(identifier)
        if known is None:
            number = sum(name.startswith(f"{kind} ") for name in self._names.values()) + 1
            known = self._names[identifier] = f"{kind} {number}"
        return known

    def _clean(self, text: str, *, sent: bool = True) -> str:
        if self._names:
            text = _TOKEN.sub(lambda token: self._names.get(token[0], token[0]), text)
        if self._volatile and normalized(text) is not text:
            text = VOLATILE.sub(lambda found: self._volatile_name(found[0], sent=sent), text)
        return printable(classes_only(text))

    def _volatile_name(self, value: str, *, sent: bool) -> str:
        known = self._sent if sent else self._answered
        if value not in self._sent and value not in self._answered:
            known.add(value)
        return "~" if value in self._sent else value

    def _cleaned(self, value: Any, *, sent: bool) -> Any:
        """A JSON value with its texts cleaned, lists and keys in their order."""
        if isinstance(value, str):
            return self._clean(value, sent=sent)
        if isinstance(value, dict):
            return {key: self._cleaned(part, sent=sent) for key, part in value.items()}
        return [self._cleaned(part, sent=sent) for part in value] if isinstance(value, list) else value


_TOKEN = re.compile(r"(?<![\w-])[A-Za-z][\w-]{7,}")
_VENDOR_ID = re.compile(r"(?<![a-z\d_-])([a-z]{2,12})[_-](?=[a-z]*\d)[a-z\d]{12,}(?![\w-])", re.IGNORECASE)


def _outcome(exchange: Exchange) -> str:
    parts = [outcomes.status(exchange) or "no answer", outcomes.broken(exchange)]
    return ", ".join(filter(None, parts))


def _changes(before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    """Tools that came, went and changed, by name."""
    old, new = ({blocks.tool_name(tool): tool for tool in tools} for tools in (before, after))
    for name, tool in new.items():
        if name not in old:
            yield f"+ {blocks.signature(tool)}"
        elif tool != old[name]:
            changed = blocks.signature(tool)
            yield f"~ {changed}" + (", its description or schema" if changed == blocks.signature(old[name]) else "")
    yield from (f"- {blocks.signature(tool)}" for name, tool in old.items() if name not in new)
