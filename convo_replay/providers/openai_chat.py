"""Chat completions: OpenAI, and the gateways that speak its format (protocol.md §2.2, §2.4).

A stream is put together into the `chat.completion` that the call without `stream` would have
given. Gateways send `choices: null`, tool calls without an index, `reasoning` under two names,
usage in one place or another, an error as an ordinary chunk: all of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from convo_replay import sse
from convo_replay.exchange import Exchange, Request
from convo_replay.providers import wire
from convo_replay.providers.reply import Reply, ToolUse, Usage

_CHAT = "/chat/completions"
_DONE = "[DONE]"
_ENDPOINT = re.compile(
    # Resources of the SDK (`openai` 3.54 `resources/`), as a gateway of it would offer them.
    r"/(completions|responses|embeddings|models|files|batches|uploads|moderations|images|audio|videos|fine_tuning"
    r"|vector_stores|assistants|threads|conversations|containers|evals|realtime|skills)(/|$)"
)
_SAME_IN_EACH = ("id", "created", "model", "service_tier", "system_fingerprint", "provider")
_THINKING = ("reasoning_content", "reasoning")

_ERRORS: Final[Mapping[int, tuple[str, str | None, str]]] = {
    400: ("invalid_request_error", None, "Invalid request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("billing_error", None, "Your account has a billing problem."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Not allowed."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    408: ("timeout", None, "Request timed out."),
    409: ("invalid_request_error", None, "The request conflicts with the current state of the resource."),
    413: ("invalid_request_error", None, "Request too large."),
    422: ("invalid_request_error", None, "The request could not be processed."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
    504: ("server_error", None, "Gateway timeout."),
    529: ("server_error", None, "Overloaded."),
}


class _Choice:
    """One choice under construction; fragments are joined once, at the end."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.role = ""
        self.fragments: dict[str, list[str]] = {}
        self.lists: dict[str, list[Any]] = {}
        self.other: dict[str, Any] = {}
        self.calls: list[_Call] = []
        self.by_index: dict[int, _Call] = {}
        self.finish: str | None = None

    def add(self, delta: Mapping[str, Any]) -> None:
        known = self.fragments
        for key, part in delta.items():
            if part.__class__ is str and key in known:
                known[key].append(part)
            elif key == "role":
                self.role = self.role or wire.string(part)
            elif key == "tool_calls":
                for call in wire.items(part):
                    self._call(wire.mapping(call))
            elif key == "function_call" and isinstance(part, dict):
                self._call({"index": 0, "function": part})
            elif key == "content" and isinstance(part, list):
                self._parts(part)
            elif isinstance(part, str):
                self.fragments.setdefault(key, []).append(part)
            elif isinstance(part, list):
                self.lists.setdefault(key, []).extend(part)
            elif part is not None:
                self.other[key] = part

    def _parts(self, parts: list[Any]) -> None:
        for part in parts:
            block = wire.mapping(part)
            for key in ("thinking", "text"):
                text = _plain(block.get(key))
                if text:
                    self.fragments.setdefault("content" if key == "text" else _THINKING[0], []).append(text)

    def _call(self, fragment: Mapping[str, Any]) -> None:
        function = wire.mapping(fragment.get("function"))
        given, name = wire.string(fragment.get("id")), wire.string(function.get("name"))
        index = fragment.get("index")
        known = self.by_index.get(index) if isinstance(index, int) else (self.calls[-1] if self.calls else None)
        another = known is not None and bool(name) and bool(known.name) and (not given or given != known.id)
        if known is None or another:
            known = _Call()
            self.calls.append(known)
        if isinstance(index, int):
            self.by_index[index] = known
        known.id = known.id or given
        known.name = known.name or name
        arguments = function.get("arguments") or ""
        known.fragments.append(arguments if isinstance(arguments, str) else wire.dump(arguments))

    def value(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": self.role or "assistant", "content": None}
        message |= self.other | self.lists
        message |= {key: "".join(parts) for key, parts in self.fragments.items()}
        if self.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.calls
            ]
        return {"index": self.index, "message": message, "finish_reason": self.finish}


class _Call:
    """A tool call under construction."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.fragments: list[str] = []

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)


class OpenAIChat:
    """Claims chat completions on any host, and whatever else an OpenAI client asks for."""

    name = "openai_chat"
    format = "openai_chat"
    history = "messages"
    terminal_events = frozenset({_DONE})
    volatile_paths: tuple[str, ...] = ("user", "safety_identifier", "prompt_cache_key")
    secret_paths: tuple[str, ...] = ("tools[*].authorization",)
    identifying_paths: Mapping[str, str] = {
        "user": "user-id",
        "safety_identifier": "user-id",
        "prompt_cache_key": "user-id",
        "tools[*].container": "container-id",
    }
    error_bodies: Mapping[int, Mapping[str, Any]] = {
        status: {"error": {"message": text, "type": kind, "param": None, "code": code}}
        for status, (kind, code, text) in _ERRORS.items()
    }

    def error_headers(self, status: int) -> Mapping[str, str]:
        """What comes with an error beside its body (protocol.md §4.3); how long to wait is no matter of it."""
        headers = {"x-request-id": "req_fau1t000000000000000000000000", "openai-version": "2020-10-01"}
        if status == 429:
            for limit, most in (("requests", "500"), ("tokens", "30000")):
                headers[f"x-ratelimit-limit-{limit}"] = most
                headers[f"x-ratelimit-remaining-{limit}"] = "0"
                headers[f"x-ratelimit-reset-{limit}"] = "6s"
        return headers

    def claims(self, request: Request) -> bool:
        host, path = wire.address(request)
        if path.endswith("/oauth/token"):
            return False
        if path.endswith(_CHAT) and request.method.upper() == "POST":
            return True
        if host == "api.openai.com" or host.endswith(".api.openai.com"):
            return True
        # The SDKs of other vendors, Anthropic's too, are generated by the same tool and send the same headers.
        stainless = any(name.startswith("x-stainless-") for name, _ in request.headers)
        if not stainless or request.header("anthropic-version") is not None:
            return False
        return "openai" in (request.header("user-agent") or "").lower() or _ENDPOINT.search(path) is not None

    def generates(self, request: Request) -> bool:
        if request.method.upper() != "POST" or not wire.has_history(request, self.history):
            return False
        return wire.address(request)[1].endswith(_CHAT)

    def ends(self, event: sse.Event) -> bool:
        return event.dispatched and (event.data or "").strip() in self.terminal_events

    def reply(self, exchange: Exchange) -> Reply:
        body = exchange.body
        if wire.is_events(exchange, body):
            return self.joined(wire.events(sse.received(body)))
        value = wire.parse(body)
        error = wire.error_in(value, exchange, body)
        completion = wire.mapping(value)
        if error is not None or not wire.items(completion.get("choices")):
            return Reply(error=error, message=completion)
        return _reply(completion, True, None)

    def joined(self, events: Iterable[wire.Event]) -> Reply:
        """The answer that the chunks of a stream build, as far as they came."""
        completed = _Completion()
        for _, text, chunk in events:
            if isinstance(chunk, dict):
                completed.add(chunk)
            elif text.strip() in self.terminal_events:
                return completed.reply(done=True)
        return completed.reply(done=False)


class _Completion:
    """The `chat.completion` that a stream builds."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.unknown: list[str] = list(_SAME_IN_EACH)
        self.choices: dict[int, _Choice] = {}
        self.usage: dict[str, Any] = {}
        self.error: Mapping[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        for key in self.unknown:
            if chunk.get(key):
                self.value[key] = chunk[key]
                self.unknown = [other for other in self.unknown if other != key]
        if chunk.get("usage") or "x_groq" in chunk:
            groq = wire.mapping(chunk.get("x_groq"))
            self.usage = wire.mapping(chunk.get("usage")) or wire.mapping(groq.get("usage")) or self.usage
        error = chunk.get("error")
        if error:
            self.error = error if isinstance(error, dict) else {"message": str(error)}
        for part in wire.items(chunk.get("choices")):
            if not isinstance(part, dict):
                part = {}
            index = part.get("index")
            if index.__class__ is not int:
                index = 0
            choice = self.choices.get(index)
            if choice is None:
                choice = self.choices[index] = _Choice(index)
            delta = part.get("delta")
            if not delta or delta.__class__ is not dict:
                delta = wire.mapping(part.get("message"))
            if delta:
                choice.add(delta)
            finish = part.get("finish_reason")
            if finish and isinstance(finish, str):
                choice.finish = finish

    def reply(self, done: bool) -> Reply:
        if self.value or self.choices:
            choices = [self.choices[index].value() for index in sorted(self.choices)]
            self.value |= {"object": "chat.completion", "choices": choices, "usage": self.usage}
        return _reply(self.value, done, self.error)


def _plain(value: Any) -> str:
    """Text that comes as a string or as a list of text parts."""
    if isinstance(value, list):
        return "".join([wire.string(wire.mapping(part).get("text")) for part in value])
    return wire.string(value)


def _reply(completion: dict[str, Any], whole: bool, error: Mapping[str, Any] | None) -> Reply:
    first = wire.mapping(next(iter(wire.items(completion.get("choices"))), None))
    message = wire.mapping(first.get("message"))
    content: list[dict[str, Any]] = []
    thinking = next((text for key in _THINKING if (text := wire.string(message.get(key)))), "")
    parts = message.get("content")
    for part in map(wire.mapping, wire.items(parts)):
        kind = wire.string(part.get("type"))
        text = _plain(part.get(kind)) if kind in ("text", "thinking") else ""
        content.append({**part, kind: text} if text else part)
    if isinstance(parts, str) and parts:
        content.append({"type": "text", "text": parts})
    if thinking:
        content.insert(0, {"type": "thinking", "thinking": thinking})
    if wire.string(message.get("refusal")):
        content.append({"type": "refusal", "refusal": message["refusal"]})
    uses = [_tool_use(call) for call in map(wire.mapping, wire.items(message.get("tool_calls")))]
    if isinstance(message.get("function_call"), dict):
        uses.append(_tool_use({"function": message["function_call"]}))
    content += [{"type": "tool_use", "id": use.id, "name": use.name, "input": use.input} for use in uses]
    return Reply(
        id=wire.string(completion.get("id")),
        model=wire.string(completion.get("model")),
        role=wire.string(message.get("role")) or "assistant",
        content=content,
        tool_uses=tuple(uses),
        stop_reason=wire.string(first.get("finish_reason")) or None,
        usage=_usage(wire.mapping(completion.get("usage"))),
        complete=whole and error is None,
        error=error,
        message=completion,
    )


def _tool_use(call: Mapping[str, Any]) -> ToolUse:
    function = wire.mapping(call.get("function")) or wire.mapping(call.get("custom"))
    given = function.get("arguments", function.get("input"))
    raw = given if isinstance(given, str) else wire.dump(given or {})
    value = wire.parse(raw)
    return ToolUse(wire.string(call.get("id")), wire.string(function.get("name")), {} if value is None else value, raw)


def _usage(usage: Mapping[str, Any]) -> Usage:
    cached = wire.count(wire.mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    prompt = wire.count(usage.get("prompt_tokens"))
    return Usage(
        input_tokens=max(prompt - cached, 0),
        output_tokens=wire.count(usage.get("completion_tokens")),
        cache_read_input_tokens=min(cached, prompt),
    )


provider = OpenAIChat()
