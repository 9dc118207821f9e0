"""The stream of the Messages API (protocol.md §2.1).

stream  := message_start item* message_delta+ message_stop
item    := block | ping
block   := content_block_start(i) content_block_delta(i)* content_block_stop(i)      i = 0, 1, 2, …
error   := may replace any position, and ends the stream
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from convo_replay.providers import wire
from convo_replay.validation import stream_rules as rules
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Rule, Severity, value
from convo_replay.validation.grammars.blocks import BLOCKS, DELTAS, Block
from convo_replay.validation.streams import Look, Reading, Told

TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "start": {"message_start": "message", "ping": "start", "error": "failed"},
    "message": {"content_block_start": "block", "message_delta": "closing", "ping": "message", "error": "failed"},
    "block": {"content_block_delta": "block", "content_block_stop": "message", "ping": "block", "error": "failed"},
    "closing": {"message_delta": "closing", "message_stop": "ended", "ping": "closing", "error": "failed"},
    "ended": {"ping": "ended", "error": "failed"},
    "failed": {"ping": "failed"},
}
AFTER: Final[Mapping[str, str]] = {
    # Where an event leads that came where it must not.
    "message_start": "message",
    "content_block_start": "block",
    "content_block_delta": "block",
    "content_block_stop": "message",
    "message_delta": "closing",
    "message_stop": "ended",
    "error": "failed",
}
EXPECTED: Final[Mapping[str, str]] = {
    "start": "message_start",
    "message": "content_block_start or message_delta",
    "block": "the deltas and the stop of block {index}",
    "closing": "message_stop",
}


_CUT: Final = frozenset({"max_tokens", "model_context_window_exceeded", "refusal", "pause_turn"})
"""Reasons to stop that may cut the last block in the middle."""
_EAGER: Final = "fine-grained-tool-streaming"


class AnthropicStream(Reading):
    """One stream of the Messages API."""

    start = "start"
    table = TABLE
    names = frozenset(AFTER)

    def __init__(self, asked: Asked, told: Told, *, whole: bool, rest: str = "") -> None:
        super().__init__(asked, told, whole=whole, rest=rest)
        self.blocks: dict[int, Block] = {}
        """By index: those that were started in this message."""
        self.stopped: set[int] = set()
        self.left: set[int] = set()
        """Blocks whose stop was missed where it was due; what comes of them later is no news."""
        self.index: Any = None
        """Of the block that is open, `None` where it did not say."""
        self.block = Block({})
        self.next = 0
        self.stop_reason: str | None = None
        self.reported: dict[tuple[str, ...], int] = {}
        """The counters of usage, as last reported, by their keys: those of `message_start` hold until replaced."""
        self.later: list[tuple[int, int, Block, str]] = []
        """What is judged when it is known why the model stopped: event, index, block, joined JSON."""
        self.unsigned: list[tuple[int, int]] = []
        self.unnamed: list[int] = []
        self.late = False
        """Whether something after the end was told of."""
        self.errored = False
        """Whether an error came that clients do not notice: the end that is missing is its work."""
        self.last_delta = 0

    def symbol(self, at: int, name: str | None, data: dict[str, Any]) -> str:
        kind = data.get("type")
        if kind.__class__ is not str:
            kind = ""
        if kind == name:
            return kind if kind in _KNOWN else ""
        if not name:
            if not kind and data.get("error"):
                self.tell(
                    rules.ERROR_UNNAMED,
                    ("events", at),
                    f"expected `event: error` before the error, got {value(data['error'])} without an `event:` line",
                )
                self.errored = True
                return ""
            if kind == "error":
                self.tell(rules.ERROR_UNNAMED, ("events", at), f"expected `event: error`, got {value(data)} without it")
                self.errored = True
                return ""
            if kind != "ping":
                self.unnamed.append(at)
            return kind if kind in _KNOWN else ""
        if kind and (kind in _KNOWN or name in _KNOWN):
            self.tell(
                rules.EVENT_MISMATCH,
                ("events", at, "type"),
                f"expected the same in both, got `event: {value(name)[1:-1]}` and type {value(kind)}",
            )
        elif name in _KNOWN and name not in ("ping", "error"):
            self.tell(
                rules.EVENT_MISMATCH,
                ("events", at),
                f"expected type {value(name)} in the data, got data without a type",
            )
        if kind in _KNOWN:
            return kind
        return name if name in _KNOWN else ""

    def unreadable(self, at: int, name: str | None, text: str) -> str:
        if name == "ping" or (not name and not text):
            return ""  # both dropped before their data is read
        if not name and text.strip() == "[DONE]":
            if self.state not in ("ended", "failed"):
                return ""
            severity: Severity = "warn"
            self.tell(rules.AFTER_END, ("events", at), "expected nothing after message_stop, got [DONE]", severity)
            return ""
        known = name in _KNOWN or not name
        self.damaged = self.damaged or known
        self.tell(
            rules.DATA_INVALID,
            ("events", at),
            f"expected a JSON object as data, got {value(text) if text else 'none'}",
            None if known else "warn",
        )
        if name == "content_block_delta":
            return ""  # of which block is not known: it moves nothing
        return (name or "") if known else ""

    def misplaced(self, at: int, symbol: str, data: dict[str, Any]) -> str:
        state, where = self.state, ("events", at)
        index = data.get("index")
        if state == "failed":
            return self._late(at, rules.AFTER_END, f"expected nothing after an error, got {symbol}")
        if symbol == "message_start":
            self.tell(rules.DUPLICATE, where, "expected one message_start, got another one")
            self._begin()
            return "message"
        if state == "ended":
            rule = rules.DUPLICATE if symbol == "message_stop" else rules.AFTER_END
            return self._late(at, rule, f"expected nothing after message_stop, got {symbol}")
        if symbol in ("content_block_delta", "content_block_stop") and index.__class__ is int:
            if state != "start" and index in self.left:
                return state
            if index in self.stopped:
                return self._after_stop(at, symbol, index)
            if state == "message":
                self._unopened(at, symbol, index)
                return AFTER[symbol]
        if state == "block":
            if symbol == "content_block_start" and index.__class__ is int and index == self.index:
                self.tell(rules.DUPLICATE, where, f"expected one start of block {index}, got another one")
                return "block"
            self.tell(rules.ORDER, where, f"expected content_block_stop of block {self._shown()}, got {symbol}")
            self._leave()
            return AFTER[symbol]
        if not (self.damaged and state == "start"):
            lost = symbol == "message_stop" and self.stop_reason is None
            self.tell(rules.ORDER, where, f"expected {EXPECTED[state]}, got {symbol}", "error" if lost else None)
        if state != "closing":
            return AFTER[symbol]
        if index.__class__ is int:
            self.left.add(index)
        return "closing"

    def _late(self, at: int, rule: Rule, message: str) -> str:
        """The first event after the end; it tells of all that follow."""
        if not self.late:
            self.late = True
            self.tell(rule, ("events", at), message)
        return ""

    def _after_stop(self, at: int, symbol: str, index: int) -> str:
        if symbol == "content_block_stop":
            self.tell(rules.DUPLICATE, ("events", at), f"expected one stop of block {index}, got another one")
        else:
            self.tell(rules.ORDER, ("events", at), f"expected no delta for block {index} after its stop, got one")
            self.left.add(index)
        return self.state

    def _unopened(self, at: int, symbol: str, index: int) -> None:
        what = "delta" if symbol == "content_block_delta" else "stop"
        if not self.damaged:
            self.tell(
                rules.INDEX,
                ("events", at, "index"),
                f"expected content_block_start of block {index} first, got a {what} for it",
            )
        if index >= 0:
            self._open(index, {})

    def _shown(self) -> str:
        return str(self.index) if self.index is not None else str(max(self.next - 1, 0))

    def _leave(self) -> None:
        if self.index.__class__ is int:
            self.left.add(self.index)
        self.index = None

    def _begin(self) -> None:
        self.blocks, self.stopped, self.left = {}, set(), set()
        self.index, self.next = None, 0
        self.reported, self.stop_reason = {}, None

    def _open(self, index: Any, start: Mapping[str, Any], at: int = -1) -> None:
        self.block = Block(start, at)
        self.index = index if index.__class__ is int else None
        if self.index is not None:
            self.blocks[index] = self.block
            self.stopped.discard(index)
            self.next = max(self.next, index + 1)

    def message_start(self, at: int, data: dict[str, Any]) -> None:
        message = data.get("message")
        if not isinstance(message, dict):
            return
        self.reported = _counters(message.get("usage"))
        where = ("events", at, "message")
        if message.get("content"):
            self.tell(
                rules.MESSAGE_START, (*where, "content"), f"expected an empty list, got {value(message['content'])}"
            )
        if message.get("stop_reason") is not None:
            self.tell(
                rules.MESSAGE_START,
                (*where, "stop_reason"),
                f"expected null, got {value(message['stop_reason'])}",
                "warn",
            )

    def block_start(self, at: int, data: dict[str, Any]) -> None:
        index = data.get("index")
        start = wire.mapping(data.get("content_block"))
        if index.__class__ is int and index != self.next:
            known = self.blocks.get(index)
            if known is None:
                self.tell(rules.INDEX, ("events", at, "index"), f"expected index {self.next}, got {index}")
            elif self.index != index:
                self.tell(rules.DUPLICATE, ("events", at), f"expected index {self.next}, got block {index} again")
        self._open(index, start, at)
        kind = BLOCKS.get(self.block.type)
        for key, empty in kind.empty.items() if kind is not None else ():
            if start.get(key) and key != "input":
                self._not_empty(self.block, key, empty)

    def _not_empty(self, block: Block, key: str, empty: Any) -> None:
        self.tell(
            rules.BLOCK_START,
            ("events", block.at, "content_block", key),
            f"expected {value(empty)} at the start of a {block.type} block, got {value(block.start[key])}",
        )

    def block_delta(self, at: int, data: dict[str, Any]) -> None:
        index = data.get("index")
        block = self.block
        if index != self.index:
            block = self._other(at, index)
        delta = data.get("delta")
        if delta.__class__ is not dict:
            return
        kind = delta.get("type")
        if kind.__class__ is not str:
            return
        if kind not in block.fits:
            if kind in DELTAS:
                fitting = " or ".join(sorted(block.fits)) or "no delta"
                self.tell(
                    rules.DELTA_MISMATCH,
                    ("events", at, "delta"),
                    f"expected {fitting} in a {block.type} block, got {kind}",
                )
        elif kind == "input_json_delta":
            part = delta.get("partial_json")
            if part.__class__ is str:
                block.json.append(part)
        elif kind == "signature_delta":
            if block.signed and block.type == "thinking":
                self.tell(
                    rules.DUPLICATE, ("events", at, "delta"), "expected one signature_delta in a block, got another one"
                )
            block.signed = True
        elif kind == "thinking_delta" and block.signed and block.type == "thinking":
            self.tell(
                rules.ORDER, ("events", at, "delta"), "expected signature_delta last, got thinking_delta after it"
            )

    def _other(self, at: int, index: Any) -> Block:
        """The block of a delta that is not the one that is open."""
        if index.__class__ is not int:
            return Block({})
        if self.index is None and self.state == "block" and not self.block.type:
            self.index = index  # a start that could not be read said no index
            self.blocks[index] = self.block
            self.next = max(self.next, index + 1)
            return self.block
        block = self.blocks.get(index)
        if block is None:
            if not self.damaged:
                self.tell(
                    rules.INDEX,
                    ("events", at, "index"),
                    f"expected index {self._shown()} (the open block), got {index}",
                )
            self.blocks[index] = block = Block({})
        elif index in self.stopped and index not in self.left:
            self.tell(rules.ORDER, ("events", at), f"expected no delta for block {index} after its stop, got one")
            self.left.add(index)
            return Block({})
        return block

    def block_stop(self, at: int, data: dict[str, Any]) -> str | None:
        index = data.get("index")
        if index.__class__ is not int:
            index = self.index
        elif index != self.index and index not in self.left and self.index is not None and self.state == "block":
            self.tell(rules.INDEX, ("events", at, "index"), f"expected index {self._shown()}, got {index}")
            index = self.index
        block = self.blocks.get(index) if index is not None else self.block
        if block is None or index in self.stopped:
            return None
        if index is not None:
            self.stopped.add(index)
        if block.json:
            joined = "".join(block.json)
            if joined.strip():
                if not isinstance(wire.parse(joined), dict):
                    self.later.append((at, index if index is not None else -1, block, joined))
                if block.start.get("input"):  # one that no fragment follows is whole
                    self._not_empty(block, "input", {})
        if block.type == "thinking" and not block.signed:
            self.unsigned.append((at, index if index is not None else -1))
        if index == self.index:
            self.index = None
        return "block" if self.state == "block" and self.index is not None else None

    def message_delta(self, at: int, data: dict[str, Any]) -> None:
        self.last_delta = at
        reason = wire.mapping(data.get("delta")).get("stop_reason")
        if isinstance(reason, str):
            self.stop_reason = reason
        usage = data.get("usage")
        if not isinstance(usage, dict):
            if data:
                self.tell(rules.USAGE_MISSING, ("events", at), "expected usage in message_delta, got none")
            return
        if usage.get("output_tokens") is None:
            self.tell(rules.USAGE_MISSING, ("events", at, "usage"), f"expected output_tokens, got {value(usage)}")
        if usage.get("iterations"):
            self.reported = {}  # of the last one alone; message_start counted the first (compaction)
        for key, count in _counters(usage).items():
            before = self.reported.get(key, count)
            if count < before:
                self.tell(
                    rules.USAGE_FALLS,
                    ("events", at, "usage", *key),
                    f"expected at least {before} (cumulative), got {count}",
                )
            self.reported[key] = count

    def error(self, at: int, data: dict[str, Any]) -> None:
        if data:
            self.tell(
                rules.ERROR, ("events", at), f"expected the answer to end, got the error {value(data.get('error'))}"
            )

    looks: ClassVar[Mapping[str, Look]] = {
        "message_start": message_start,
        "content_block_start": block_start,
        "content_block_delta": block_delta,
        "content_block_stop": block_stop,
        "message_delta": message_delta,
        "error": error,
    }

    def finish(self, events: int) -> None:
        if self.unnamed:
            first = self.unnamed[0]
            self.tell(
                rules.EVENT_UNNAMED,
                ("events", first),
                f"expected an `event:` line, got {len(self.unnamed)} events without one",
            )
        ended = self.state in ("ended", "failed")
        if not ended and not self.errored and self.whole:
            expected = EXPECTED[self.state].format(index=self._shown())
            # Without a reason to stop the answer was cut, whoever sent it.
            severity: Severity | None = "error" if self.stop_reason is None else None
            self.tell(rules.UNTERMINATED, (), f"expected {expected}, got {self.cut(events)}", severity)
        if self.state == "ended" and self.stop_reason is None and not self.damaged and self.last_delta:
            self.tell(
                rules.STOP_REASON_MISSING,
                ("events", self.last_delta, "delta"),
                "expected a stop_reason before message_stop, got none",
            )
        last = max(self.blocks, default=-1)
        for at, index, block, joined in self.later:
            judged = self._tool_json(block, cut=index == last)
            if judged != "silent":
                self.tell(
                    rules.TOOL_JSON,
                    ("events", at),
                    f"expected the partial_json of {block.type} {value(block.name)} to be one JSON object, "
                    f"got {value(joined)}",
                    judged,
                )
        for at, index in self.unsigned:
            if self.state == "ended" and not (index == last and self.stop_reason in _CUT):
                self.tell(
                    rules.SIGNATURE_MISSING,
                    ("events", at),
                    "expected signature_delta before the stop of a thinking block, got none",
                )

    def _tool_json(self, block: Block, *, cut: bool) -> Any:
        """How severe JSON is that cannot be read; `None` for as the rule says."""
        if self.damaged:
            return "silent"
        tool = self.asked.tools.get(block.name, {})
        if tool.get("eager_input_streaming") is True or any(beta.startswith(_EAGER) for beta in self.asked.betas):
            return "info"
        if cut and (self.stop_reason in _CUT or self.state != "ended"):
            return "info" if self.whole else "silent"
        return None if self.asked.body else "warn"


def _counters(usage: Any) -> dict[tuple[str, ...], int]:
    """The numbers of a usage, and those one level in: `("server_tool_use", "web_search_requests")`."""
    made: dict[tuple[str, ...], int] = {}
    for key, count in wire.mapping(usage).items():
        if count.__class__ is int:
            made[key,] = count
        elif count.__class__ is dict:
            made.update({(key, name): inner for name, inner in count.items() if inner.__class__ is int})
    return made


_KNOWN: Final = frozenset({*AFTER, "ping"})
