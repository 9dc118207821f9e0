"""The Messages API, direct and behind any host (protocol.md §1, §2.1; Bedrock and Vertex: §7).

The stream is a table of events; each entry changes the one message that is being put together.
Deviations of gateways are read, not judged: missing starts and stops, doubled or missing indexes,
missing `event:` lines. What is missing shows in `Reply.complete`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from convo_replay import sse
from convo_replay.exchange import Exchange, Request
from convo_replay.providers import wire
from convo_replay.providers.reply import Reply, ToolUse, Usage

_MESSAGES = "/v1/messages"
_VERTEX = ("/publishers/anthropic/models/", (":rawpredict", ":streamrawpredict"))
_BEDROCK = re.compile(r"/model/[^/]*anthropic[^/]*/invoke(-with-response-stream)?$")

_STARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    # What a block is before its first delta, where the start event leaves it out.
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"id": "", "name": "", "input": {}},
    "server_tool_use": {"id": "", "name": "", "input": {}},
    "mcp_tool_use": {"id": "", "name": "", "input": {}},
}
_BLOCK_OF: Final[Mapping[str, str]] = {
    # The block that a delta without a start belongs to.
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
    "compaction_delta": "compaction",
}
_SET: Final = frozenset({"signature_delta", "compaction_delta"})  # these replace, the others append

_ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your account has a billing problem."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "The request conflicts with the current state of the resource."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "The request could not be processed."),
    429: ("rate_limit_error", "This request would exceed your rate limit."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_LIMITS: Final = ("requests", "tokens", "input-tokens", "output-tokens")


def _names_a_turn(path: str) -> bool:
    if path.endswith(_MESSAGES) or (_VERTEX[0] in path and path.endswith(_VERTEX[1])):
        return True
    return "/invoke" in path and _BEDROCK.search(path) is not None


class _Block:
    """A content block under construction; fragments are joined once, at the end."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.fragments: dict[str, list[str]] = {}
        self.json: list[str] = []

    def add(self, kind: str, delta: Mapping[str, Any]) -> None:
        if kind == "citations_delta":
            if not isinstance(self.value.get("citations"), list):
                self.value["citations"] = []
            self.value["citations"].append(delta.get("citation"))
            return
        for key, part in delta.items():
            if key == "type":
                continue
            if key == "partial_json":
                self.json.append(wire.string(part))
            elif isinstance(part, str) and kind not in _SET:
                self.fragments.setdefault(key, []).append(part)
            else:
                self.value[key] = part

    def joined(self) -> tuple[dict[str, Any], str]:
        """The finished block and the text of its streamed input."""
        for key, parts in self.fragments.items():
            self.value[key] = wire.string(self.value.get(key)) + "".join(parts)
        raw = "".join(self.json)
        if raw:
            value = wire.parse(raw)
            self.value["input"] = {} if value is None else value
        return self.value, raw


class _Message:
    """The message that a stream builds."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.blocks: list[_Block] = []
        self.open: dict[int, _Block] = {}
        self.usage: dict[str, Any] = {}
        self.stopped = False
        self.error: Mapping[str, Any] | None = None

    def start(self, data: Mapping[str, Any]) -> None:
        self.value.update(wire.mapping(data.get("message")))
        self._count(self.value.get("usage"))

    def block_start(self, data: Mapping[str, Any]) -> None:
        given = wire.mapping(data.get("content_block"))
        self._open(data, {**_STARTS.get(wire.string(given.get("type")), {}), **given})

    def block_delta(self, data: Mapping[str, Any]) -> None:
        delta = wire.mapping(data.get("delta"))
        kind = wire.string(delta.get("type"))
        index = data.get("index")
        block = self.open.get(index if index.__class__ is int else 0)
        if block is None:
            name = _BLOCK_OF.get(kind, "text")
            block = self._open(data, {"type": name, **_STARTS.get(name, {})})
        block.add(kind, delta)

    def block_stop(self, data: Mapping[str, Any]) -> None:
        self.open.pop(_index(data), None)

    def delta(self, data: Mapping[str, Any]) -> None:
        self.value.update(wire.mapping(data.get("delta")))
        self.value.update({key: part for key, part in data.items() if key not in ("type", "delta", "usage")})
        self._count(data.get("usage"))

    def stop(self, _data: Mapping[str, Any]) -> None:
        self.stopped = True

    def fail(self, data: Mapping[str, Any]) -> None:
        self.error = wire.mapping(data.get("error")) or {k: v for k, v in data.items() if k != "type"}

    def _open(self, data: Mapping[str, Any], value: dict[str, Any]) -> _Block:
        block = self.open[_index(data)] = _Block(value)
        self.blocks.append(block)
        return block

    def _count(self, usage: Any) -> None:
        # Cumulative: each report overwrites, an absent counter keeps its value (§2.1).
        self.usage.update({key: part for key, part in wire.mapping(usage).items() if part is not None})

    def reply(self) -> Reply:
        joined = [block.joined() for block in self.blocks]
        if self.value or joined:
            self.value |= {"content": [value for value, _ in joined], "usage": self.usage}
        return _reply(self.value, [raw for _, raw in joined], self.stopped, self.error)


_EVENTS: Final[Mapping[str, Callable[[_Message, Mapping[str, Any]], None]]] = {
    "message_start": _Message.start,
    "content_block_start": _Message.block_start,
    "content_block_delta": _Message.block_delta,
    "content_block_stop": _Message.block_stop,
    "message_delta": _Message.delta,
    "message_stop": _Message.stop,
    "error": _Message.fail,
}


class Anthropic:
    """Claims the Messages API on any host, and whatever else an Anthropic client asks for."""

    name = "anthropic"
    format = "anthropic"
    history = "messages"
    terminal_events = frozenset({"message_stop", "error"})
    volatile_paths: tuple[str, ...] = ("metadata.user_id",)
    secret_paths: tuple[str, ...] = ("mcp_servers[*].authorization_token",)
    identifying_paths: Mapping[str, str] = {
        "metadata.user_id": "user-id",
        "user_profile_id": "user-profile-id",
        "container": "container-id",
        "container.id": "container-id",
    }
    error_bodies: Mapping[int, Mapping[str, Any]] = {
        status: {"type": "error", "error": {"type": kind, "message": text}, "request_id": None}
        for status, (kind, text) in _ERRORS.items()
    }

    def error_headers(self, status: int) -> Mapping[str, str]:
        """What comes with an error beside its body (protocol.md §4.3); how long to wait is no matter of it."""
        headers = {"request-id": "req_011CFau1t0000000000000000"}
        if status == 429:
            for limit in _LIMITS:
                headers[f"anthropic-ratelimit-{limit}-limit"] = "50" if limit == "requests" else "30000"
                headers[f"anthropic-ratelimit-{limit}-remaining"] = "0"
                headers[f"anthropic-ratelimit-{limit}-reset"] = "2026-11-22T10:00:00Z"
        return headers

    def claims(self, request: Request) -> bool:
        host, path = wire.address(request)
        if path.endswith("/oauth/token"):
            return False
        if self.generates(request) or request.header("anthropic-version") is not None or host == "api.anthropic.com":
            return True
        named = _names_a_turn(path) or path.endswith(_MESSAGES + "/count_tokens")
        return named and request.method.upper() == "POST" and wire.sends_history(request, self.history)

    def generates(self, request: Request) -> bool:
        if request.method.upper() != "POST" or not wire.has_history(request, self.history):
            return False
        return _names_a_turn(wire.address(request)[1])

    def ends(self, event: sse.Event) -> bool:
        return event.dispatched and _kind(event) in self.terminal_events

    def reply(self, exchange: Exchange) -> Reply:
        body = exchange.body
        if wire.is_events(exchange, body):
            return self.joined(wire.events(sse.received(body)))
        value = wire.parse(body)
        error = wire.error_in(value, exchange, body)
        message = wire.mapping(value)
        content = message.get("content")
        if error is not None or not isinstance(content, list | str):
            return Reply(error=error, message=message)
        return _reply(message, [], True, None)

    def joined(self, events: Iterable[wire.Event]) -> Reply:
        """The answer that the events of a stream build, as far as they came."""
        message = _Message()
        for name, _, value in events:
            data = value if isinstance(value, dict) else {}
            change = _EVENTS.get(name or wire.string(data.get("type")))
            if change is not None:
                change(message, data)
        return message.reply()


def _kind(event: sse.Event) -> str:
    """The event's type: of its `event:` line or, where a gateway leaves that out, of its data."""
    return event.event or wire.string(wire.mapping(wire.parse(event.data)).get("type"))


def _index(data: Mapping[str, Any]) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0


def _reply(message: dict[str, Any], raws: list[str], whole: bool, error: Mapping[str, Any] | None) -> Reply:
    given = message.get("content")
    content = [block for block in wire.items(given) if isinstance(block, dict)]
    if isinstance(given, str):
        content = [{"type": "text", "text": given}]
    uses = []
    for at, block in enumerate(content):
        if block.get("type") != "tool_use":
            continue
        value = block.get("input", {})
        raw = raws[at] if at < len(raws) and raws[at] else wire.dump(value)
        uses.append(ToolUse(wire.string(block.get("id")), wire.string(block.get("name")), value, raw))
    usage = wire.mapping(message.get("usage"))
    return Reply(
        id=wire.string(message.get("id")),
        model=wire.string(message.get("model")),
        role=wire.string(message.get("role")) or "assistant",
        content=content,
        tool_uses=tuple(uses),
        stop_reason=wire.string(message.get("stop_reason")) or None,
        usage=Usage(
            wire.count(usage.get("input_tokens")),
            wire.count(usage.get("output_tokens")),
            wire.count(usage.get("cache_creation_input_tokens")),
            wire.count(usage.get("cache_read_input_tokens")),
        ),
        complete=whole and error is None,
        error=error,
        message=message,
    )


provider = Anthropic()
