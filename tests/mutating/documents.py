"""Edits of an answer that is one JSON document."""

from __future__ import annotations

import copy
import json
from typing import Any

from mutating.drafts import Answer, Place

HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"


def set_key(answer: Answer, path: list[Any], value: Any = None, drop: bool = False) -> Place | None:
    """Another value deep in the answer, or none."""
    inner: Any = answer.value
    for step in path[:-1]:
        found = isinstance(inner, list) and isinstance(step, int) and len(inner) > step
        inner = inner[step] if found else inner.get(step) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or (drop and path[-1] not in inner):
        return None
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(value)
    return {}


def add_block(answer: Answer, **block: Any) -> Place | None:
    """One content block more."""
    if not isinstance(answer.value.get("content"), list):
        return None
    answer.value["content"].append(copy.deepcopy(block))
    return {"M": len(answer.value["content"]) - 1}


def drop_of_block(answer: Answer, kind: str, key: str) -> Place | None:
    """A content block without one of its keys."""
    content = answer.value.get("content")
    places = [at for at, block in enumerate(content) if block["type"] == kind] if isinstance(content, list) else []
    if not places:
        return None
    at = places[0 if answer.first else -1]
    del content[at][key]
    return {"M": at}


def empty_input(answer: Answer) -> Place | None:
    """A call lacks what its tool requires."""
    tools = (answer.exchange.request.json or {}).get("tools") or []
    requiring = {tool.get("name") for tool in tools if (tool.get("input_schema") or {}).get("required")}
    content = answer.value.get("content")
    for at, block in enumerate(content if isinstance(content, list) else []):
        if block["type"] == "tool_use" and block["name"] in requiring and block["input"]:
            block["input"] = {}
            return {"M": at}
    return None


def cut(answer: Answer) -> Place | None:
    """The JSON breaks off."""
    text = json.dumps(answer.value)
    answer.body = text[: len(text) // 2].encode()
    return {}


def replaced(answer: Answer, what: str, type: str = "") -> Place | None:
    """Something else: a page of HTML, nothing, `null`, or an error."""
    error = {"error": {"type": "api_error", "message": "Internal server error"}}
    answer.body = {"html": HTML, "empty": b"", "null": b"null", "error": json.dumps(error).encode()}[what]
    answer.type = type
    return {}


def indented(answer: Answer) -> Place | None:
    """Legal: the same document, written otherwise."""
    answer.body = json.dumps(answer.value, indent=2, ensure_ascii=False).encode()
    return {}


def reordered(answer: Answer) -> Place | None:
    """Legal: the same document, its keys in another order."""
    answer.body = json.dumps(dict(reversed(answer.value.items()))).encode()
    return {}
