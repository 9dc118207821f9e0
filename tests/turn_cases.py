"""Messages in one line each, and what rules say to a request of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from convo_replay.exchange import Json, Request
from convo_replay.validation import messages as facts
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding

Message = dict[str, Any]
ANTHROPIC = "https://api.anthropic.com/v1/messages"
OPENAI = "https://api.openai.com/v1/chat/completions"
READ = {"anthropic": facts.anthropic, "openai_chat": facts.openai_chat}


def user(*content: Any) -> Message:
    """A user message: blocks, strings as text blocks."""
    return {"role": "user", "content": [text(one) if isinstance(one, str) else one for one in content]}


def assistant(*content: Any) -> Message:
    return user(*content) | {"role": "assistant"}


def text(said: str, **other: Any) -> Message:
    return {"type": "text", "text": said, **other}


def use(ident: Any, name: str = "get_weather", **given: Any) -> Message:
    return {"type": "tool_use", "id": ident, "name": name, "input": {"city": "Paris"}} | given


def result(ident: Any, content: Any = "18 degrees") -> Message:
    return {"type": "tool_result", "tool_use_id": ident, "content": content}


def thinking(said: str = "The user asks for the weather.", signature: str = "c2lnbmF0dXJl") -> Message:
    return {"type": "thinking", "thinking": said, "signature": signature}


def searching(ident: str = "srvtoolu_1", name: str = "web_search") -> Message:
    return {"type": "server_tool_use", "id": ident, "name": name, "input": {"query": "weather"}}


def searched(ident: str = "srvtoolu_1", kind: str = "web_search_tool_result") -> Message:
    return {"type": kind, "tool_use_id": ident, "content": []}


def calling(*idents: Any, content: Any = None, **other: Any) -> Message:
    """An assistant's chat message with tool calls."""
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    calls = [{"id": ident, "type": "function", "function": function} for ident in idents]
    return {"role": "assistant", "content": content, "tool_calls": calls} | other


def said(role: str, content: Any = "Hello", **other: Any) -> Message:
    return {"role": role, "content": content} | other


def tool(ident: Any, content: Any = "18 degrees") -> Message:
    return {"role": "tool", "tool_call_id": ident, "content": content}


def request(
    *messages: Any,
    format: str = "anthropic",
    url: str = "",
    new: int = 0,
    answers: Mapping[int, Any] | None = None,
    origins: Mapping[int, Request] | None = None,
    on: str = "",
    **body: Any,
) -> Asked:
    """A request of these messages, as rules see it."""
    model = {"model": "claude-sonnet-4-5" if format == "anthropic" else "gpt-5.5"}
    address = url or (ANTHROPIC if format == "anthropic" else OPENAI)
    sent = Json(model | {"messages": list(messages)} | body)
    asked = Request("POST", address, (("anthropic-version", "2023-06-01"),), sent)
    return Asked(asked, format, [READ[format](each) for each in messages], new, answers or {}, origins or {}, on)


def findings(asked: Asked, *rules: str) -> list[Finding]:
    """What the rules of these modules say."""
    found: list[Finding] = []
    for name in rules:
        module = importlib.import_module(f"convo_replay.validation.rules.{name}")
        found += module.check(asked)
    return found


def told(found: Iterable[Finding]) -> list[str]:
    """Rule and place of each, in order of the place."""
    return sorted(f"{finding.rule} {finding.path.removeprefix('request.')}" for finding in found)
