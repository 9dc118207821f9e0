"""One request for one rule: what it says, as tables of tests write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convo_replay.exchange import Blob, Json, Request
from convo_replay.validation import messages as facts
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding

DIRECT = "https://api.anthropic.com/v1/messages"
BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke"
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict"
OLD, NEW = "2023-06-01", "2026-10-21"

Check = Callable[[Asked], Iterable[Finding]]


def request_of(
    body: Any,
    *,
    url: str = DIRECT,
    version: str = NEW,
    betas: str = "",
    new: int = 0,
    answers: Mapping[int, Any] | None = None,
    format: str = "anthropic",
) -> Asked:
    """A request as rules see it; no version and no betas: without those headers."""
    headers = [("anthropic-version", version)] if version else []
    headers += [("anthropic-beta", betas)] if betas else []
    read = facts.openai_chat if format == "openai_chat" else facts.anthropic
    listed = body.get("messages") if isinstance(body, dict) else None
    sent = [read(message) for message in listed] if isinstance(listed, list) else []
    held = body if isinstance(body, Blob) else Json(body)
    return Asked(Request("POST", url, tuple(headers), held), format, sent, new, answers or {})


def said(check: Check, body: Any, **how: Any) -> list[tuple[str, str]]:
    """Severity and path (as the API writes it) of each finding."""
    return [(finding.severity, finding.api_path) for finding in check(request_of(body, **how))]


def errors(check: Check, body: Any, **how: Any) -> list[str]:
    """What the API would answer to each finding."""
    return [finding.api_error for finding in check(request_of(body, **how))]


def body(*messages: Any, model: str = "claude-opus-4-6", **other: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 4096, "messages": list(messages), **other}


def user(*content: Any) -> dict[str, Any]:
    return _message("user", content)


def assistant(*content: Any) -> dict[str, Any]:
    return _message("assistant", content)


def system(*content: Any, **other: Any) -> dict[str, Any]:
    return _message("system", content) | other


def _message(role: str, content: tuple[Any, ...]) -> dict[str, Any]:
    """A single string is the content; of several things each string is a text block."""
    if len(content) == 1 and isinstance(content[0], str):
        return {"role": role, "content": content[0]}
    return {"role": role, "content": [text(part) if isinstance(part, str) else part for part in content]}


def text(content: str, **other: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **other}


def thinking(content: str = "Hm.") -> dict[str, Any]:
    return {"type": "thinking", "thinking": content, "signature": "c2ln"}


def use(ident: str = "toolu_1", name: str = "look") -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": {}}


def result(ident: str = "toolu_1", content: Any = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": content}


def server_use(ident: str = "srvtoolu_1") -> dict[str, Any]:
    return {"type": "server_tool_use", "id": ident, "name": "web_search", "input": {"query": "x"}}


def server_result(ident: str = "srvtoolu_1") -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": ident, "content": []}


def tool(name: str = "look", **other: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object"}, **other}
