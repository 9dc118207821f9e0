"""`convo-replay show`: a conversation as a person reads it.

Request *k* repeats all earlier turns, so of each request only what is new is shown. Everything
recorded goes through `printable` first. On a terminal lines are wrapped to its width; elsewhere one
line stays one line, for grep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from convo_replay import sse
from convo_replay.exchange import Chunk, Exchange
from convo_replay.providers import Usage, wire
from convo_replay.reporting import blocks, outcomes
from convo_replay.reporting.lines import write
from convo_replay.reporting.news import Listener, News
from convo_replay.reporting.outcomes import number, tokens
from convo_replay.reporting.printable import one_line, printable, styled
from convo_replay.turns import Grouper, Turn, usage

_LINES, _CHARACTERS = 12, 1200  # of one text, unless a single turn was asked for


def show(
    exchanges: Sequence[Exchange],
    *,
    title: str = "",
    turn: int | None = None,
    events: bool = False,
    console: Console | None = None,
) -> None:
    """Prints the conversation; `turn` shows one turn in full, `events` adds each event with its time.

    Raises:
        IndexError: there is no such turn; says which there are.
    """
    grouper = Grouper()
    owners = [grouper.add(exchange) for exchange in exchanges]
    turns = grouper.turns
    if turn is not None and not 0 <= turn < len(turns):
        there = "no turns" if not turns else "one turn, 0" if len(turns) == 1 else f"turns 0 to {len(turns) - 1}"
        raise IndexError(f"there is no turn {turn}; the cassette has {there}")
    page = _Page(console or Console(highlight=False), full=turn is not None, events=events)
    listeners: defaultdict[str, Listener] = defaultdict(Listener)
    if turn is not None:
        page.turn([listeners[one.exchange.test].hear(one) for one in turns[: turn + 1]][turn])
        return
    page.summary(title, turns, exchanges)
    test = ""
    for at, (exchange, owner) in enumerate(zip(exchanges, owners, strict=True)):
        if exchange.test != test:
            test = exchange.test
            page.line(0, styled(f"\n{one_line(test, 200)}", "bold underline"))
        if owner is None:
            page.exchange(at, exchange)
        elif turns[owner.index].attempts[0] is exchange:
            page.turn(listeners[exchange.test].hear(turns[owner.index]))


class _Page:
    """What is written where; every method prints."""

    def __init__(self, console: Console, *, full: bool, events: bool) -> None:
        self.console = console
        self.full = full
        self.events = events

    def line(self, indent: int, *pieces: Text) -> None:
        write(self.console, indent, *pieces)

    def summary(self, title: str, turns: list[Turn], exchanges: Sequence[Exchange]) -> None:
        parts = [number(len(turns), "turn"), number(len(exchanges), "exchange")]
        if turns:
            parts.append(tokens(usage(turns)))
        self.line(0, styled(title, "bold"), styled("  " if title else ""), styled(", ".join(parts), "dim"))

    def turn(self, news: News) -> None:
        turn, exchange = news.turn, news.turn.exchange
        how = "streamed" if turn.streamed else "not streamed"
        self.line(
            0,
            styled(f"\nturns[{turn.index}]", "bold cyan"),
            styled(f"  {one_line(turn.model or '(no model)', 80)}", "bold"),
            styled(f"  {how}{_timing(exchange)}", "dim"),
        )
        if exchange.after:
            self.line(2, styled(f"played only after the fault {one_line(exchange.after, 80)}", "yellow"))
        self._request(news)
        for at, attempt in enumerate(turn.attempts):
            if len(turn.attempts) > 1 or attempt.end.kind != "complete" or (attempt.status or 0) >= 300:
                self._attempt(at, attempt)
            if self.events:
                self._event_lines(attempt)
        self._answer(turn)

    def exchange(self, at: int, exchange: Exchange) -> None:
        request = exchange.request
        self.line(
            0,
            styled(f"\nexchanges[{at}]", "bold"),
            styled(f"  {one_line(request.method, 20)} {one_line(request.url, 200)}"),
            styled(f"  {_outcome(exchange)}{_timing(exchange)}", "dim"),
        )
        if self.events:
            self._event_lines(exchange)

    def _request(self, news: News) -> None:
        earlier = news.earlier
        if news.system and (earlier is None or news.system != earlier.system):
            self._labelled("→ system", "green", news.system)
        if news.tools and (earlier is None or news.tools != earlier.tools):
            self._labelled("  tools", "dim", ", ".join(map(blocks.tool_name, news.tools)), "dim")
        if news.known:
            self.line(2, styled(f"  {number(news.known, 'message')} as before", "dim"))
        if news.left_out:
            self.line(2, styled(f"  {number(news.left_out, 'message')} left out", "dim"))
        if earlier and news.answered:
            self.line(2, styled(f"→ assistant  the answer of turns[{earlier.turn.index}], sent back", "dim"))
        for message in news.messages:
            role = wire.string(message.get("role")) or "(no role)"
            for shown in blocks.of_message(message):
                label, text = _words(shown)
                self._labelled(f"→ {role}{label and ' '}{label}", "green", text, _STYLES.get(shown.kind, ""))

    def _answer(self, turn: Turn) -> None:
        reply = turn.response
        for shown in map(blocks.of_block, reply.content):
            label, text = _words(shown)
            if shown.kind == "thinking" and not self.full:
                text = blocks.folded(text)
            elif shown.kind == "other" and not self.full:
                text = one_line(text, 160)
            self._labelled(f"← {label or 'text'}", "magenta", text, _STYLES.get(shown.kind, ""))
        if reply.error is not None:
            self._labelled("← error", "red", blocks.error(reply.error), "red")
        elif not reply.complete:
            self.line(2, styled(f"← {outcomes.unfinished(turn.exchange)}", "yellow"))
        last = [reply.stop_reason or "no stop reason"]
        if reply.usage != Usage():
            last.append(tokens(reply.usage))
        self.line(4, styled(one_line(", ".join(last), 200), "dim"))

    def _attempt(self, at: int, exchange: Exchange) -> None:
        outcome, style = _outcome(exchange), "" if (exchange.status or 0) < 300 else "yellow"
        self.line(2, styled(f"attempt {at}  ", "bold"), styled(f"{outcome}{_timing(exchange)}", style))

    def _labelled(self, label: str, label_style: str, text: str, style: str = "") -> None:
        shown = text if self.full else _folded(text)
        indented = printable(shown).strip().replace("\n", "\n  ") or "(empty)"
        self.line(2, styled(f"{one_line(label, 60)}  ", label_style), Text(indented, style=style))

    def _event_lines(self, exchange: Exchange) -> None:
        width = max(self.console.width - 5, 40) if not self.full else 1_000_000
        before, position, found = exchange.head.at if exchange.head else 0.0, 0, False  # as in the file
        for at, event in events_of(exchange):
            text = f"{event.event or '-'} {event.data}" if event.dispatched else repr(event.raw)[2:-1]
            place = f"{position:>4}" if event.dispatched else "   :"  # positions count what a client is handed
            self.line(4, styled(f"{place} +{max(at - before, 0):.3f} {one_line(text, width - 12)}", "dim"))
            before, found, position = at, True, position + event.dispatched
        if not found:
            size = len(exchange.body)
            self.line(4, styled(f"no events: {number(size, 'byte')} {one_line(exchange.content_type, 60)}", "dim"))


def events_of(exchange: Exchange) -> Iterator[tuple[float, sse.Event]]:
    """The events of a stream, each with the time of the chunk that completed it, in seconds."""
    if not wire.is_events(exchange, exchange.body):
        return
    decoder, at = sse.Decoder(), 0.0
    for step in exchange.steps:
        if isinstance(step, Chunk):
            at = step.at
            for event in decoder.feed(step.data):
                yield at, event
    for event in decoder.finish():
        yield at, event


_STYLES = {"thinking": "dim italic", "call": "bold", "media": "dim", "other": "dim"}


def _words(shown: blocks.Shown) -> tuple[str, str]:
    """Label (empty for plain text) and text of a block, with the ids as they are."""
    if shown.kind == "call":
        return f"calls {shown.label}", f"{shown.text}  {shown.id}".rstrip()
    if shown.kind == "result":
        return f"result{' failed' if shown.failed else ''} for {shown.id}", shown.text
    return shown.label, shown.text


def _folded(text: str) -> str:
    lines = text[:_CHARACTERS].split("\n")
    short = "\n".join(lines[:_LINES])
    more = len(text) - len(short)
    return f"{short} … {more:,} more characters" if more > 0 else text


def _outcome(exchange: Exchange) -> str:
    parts, broken = [outcomes.status(exchange)], outcomes.broken(exchange)
    if broken:
        size = f" after {number(len(exchange.body), 'byte')}" if parts[0] else ""
        parts += [broken + size, exchange.end.detail]
    return one_line(", ".join(filter(None, parts)), 300)


def _timing(exchange: Exchange) -> str:
    head, end = exchange.head, exchange.end
    if not end.at:
        return ""
    first = f"{head.at:.2f} s to the head, " if head and head.at else ""
    return f"  {first}{end.at:.2f} s"
