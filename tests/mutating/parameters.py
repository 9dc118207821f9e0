"""Edits of a request's parameters, and of what stands in a message by rights of a parameter."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mutating.drafts import Draft, Place

CACHED = {"type": "ephemeral"}


def set_body(draft: Draft, drop: str = "", **keys: Any) -> Place | None:
    """Other values of the body's keys."""
    draft.body.update(copy.deepcopy(keys))
    draft.body.pop(drop, None)
    return {}


def set_budget(draft: Draft, budget: int, max_tokens: int) -> Place | None:
    """Manual thinking with that budget."""
    draft.body["thinking"] = {**draft.body["thinking"], "budget_tokens": budget}
    draft.body["max_tokens"] = max_tokens
    return {}


def force_tool(draft: Draft, type: str = "any") -> Place | None:
    """A tool must be used: any of them, or the first."""
    names = [tool["name"] for tool in draft.body.get("tools", []) if tool.get("type", "custom") == "custom"]
    if not names:
        return None
    draft.body["tool_choice"] = {"type": type, **({"name": names[0]} if type == "tool" else {})}
    return {}


def prefill(draft: Draft, content: Any) -> Place | None:
    """The beginning of the answer is given."""
    if draft.messages[-1]["role"] != "user":
        return None
    if any(block.get("type") == "tool_result" for block in draft.content(-1)):
        return None
    draft.messages.append({"role": "assistant", "content": copy.deepcopy(content)})
    return {"N": len(draft.messages) - 1, "M": 0}


def end_with_user(draft: Draft) -> Place | None:
    """Legal: one more user message."""
    draft.messages.append({"role": "user", "content": "Go on."})
    return {}


def insert_message(draft: Draft, content: Any, where: str = "last", role: str = "user") -> Place | None:
    """One message more: `first`, `last`, or between the assistant's `call` and its results."""
    places = {"call": draft.pick(draft.loops()), "first": -1, "last": len(draft.messages) - 1}
    at = places[where]
    if at is None:
        return None
    draft.messages.insert(at + 1, {"role": role, "content": copy.deepcopy(content)})
    return {"N": at + 1, "M": 0}


def insert_turns(draft: Draft, messages: list[Any], number: int) -> Place | None:
    """Messages more at the end; the place is that of one of them."""
    if draft.messages[-1]["role"] != "user":
        return None
    start = len(draft.messages)
    draft.messages.extend(copy.deepcopy(messages))
    return {"N": start + number, "M": 0}


def add_text(draft: Draft, text: str) -> Place | None:
    """A text block at the end of a user message."""
    places = [at for at, message in enumerate(draft.messages) if message["role"] == "user"]
    at = draft.pick(places)
    if at is None:
        return None
    draft.content(at).append({"type": "text", "text": text})
    return {"N": at, "M": len(draft.content(at)) - 1}


def cache_breakpoints(draft: Draft, count: int) -> Place | None:
    """That many `cache_control` in all: in `system`, in a message, in a tool."""
    _forget_caching(draft.body)
    spread = count - 1
    if draft.body.get("tools") and draft.body["tools"][-1].get("type", "custom") == "custom":
        draft.body["tools"][-1]["cache_control"] = dict(CACHED)
        spread -= 1
    last = [
        block for block in draft.content(-1) if block.get("type") in ("text", "tool_result") and block.get("text") != ""
    ]
    if not last:
        return None
    last[-1]["cache_control"] = dict(CACHED)
    draft.body["system"] = [
        {"type": "text", "text": f"Rule {number}.", "cache_control": dict(CACHED)} for number in range(spread)
    ]
    return {}


def _forget_caching(value: Any) -> None:
    if isinstance(value, dict):
        value.pop("cache_control", None)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _forget_caching(part)


def refer(draft: Draft, known: bool = False) -> Place | None:
    """A result that refers to a tool: one that is not declared, or a known one."""
    at = draft.pick(draft.loops())
    names = [tool["name"] for tool in draft.body.get("tools", []) if tool.get("type", "custom") == "custom"]
    if at is None or not names:
        return None
    place = draft.results(at + 1)[0]
    result = draft.content(at + 1)[place]
    result["content"] = [{"type": "tool_reference", "tool_name": names[0] if known else "nobody_declared_this"}]
    result.pop("is_error", None)
    return {"N": at + 1, "M": place}


def forget_found_tool(draft: Draft) -> Place | None:
    """A tool that a tool search had found is not declared any more."""
    for index, at, block in draft.blocks("assistant", "tool_search_tool_result"):
        found = block["content"].get("tool_references") or [] if isinstance(block["content"], Mapping) else []
        for place, reference in enumerate(found):
            tools = draft.body.get("tools", [])
            kept = [tool for tool in tools if tool.get("name") != reference["tool_name"]]
            if len(kept) < len(tools):
                draft.body["tools"] = kept
                return {"N": index, "M": at, "K": place}
    return None


def change_tools(draft: Draft, name: str) -> Place | None:
    """A system message that adds a tool by name."""
    names = [tool["name"] for tool in draft.body.get("tools", []) if tool.get("type", "custom") == "custom"]
    if not names or draft.messages[-1]["role"] != "user":
        return None
    block = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": name or names[0]}}
    draft.messages.append({"role": "system", "content": [block]})
    return {"N": len(draft.messages) - 1, "M": 0}


def compact(draft: Draft, content: list[Any], at: int = 0) -> Place | None:
    """Blocks at the beginning of the first assistant message; the place is that of one of them."""
    places = [index for index, message in enumerate(draft.messages) if message["role"] == "assistant"]
    if not places or any(block.get("type") == "compaction" for _, _, block in draft.blocks("assistant")):
        return None
    draft.content(places[0])[:0] = copy.deepcopy(content)
    return {"N": places[0], "M": at}


def question(draft: Draft, content: list[Any]) -> Place | None:
    """Blocks at the end of the first user message."""
    if draft.messages[0]["role"] != "user":
        return None
    draft.content(0).extend(copy.deepcopy(content))
    return {"N": 0, "M": len(draft.content(0)) - 1}


def document_in_assistant(draft: Draft, role: str = "assistant") -> Place | None:
    """A document directly in a turn."""
    places = [at for at, message in enumerate(draft.messages) if message["role"] == role]
    at = draft.pick(places)
    if at is None:
        return None
    source = {"type": "text", "media_type": "text/plain", "data": "The grass is green."}
    draft.content(at).append({"type": "document", "source": source})
    return {"N": at, "M": len(draft.content(at)) - 1}


def repeat_tool(draft: Draft, name: str = "") -> Place | None:
    """A tool is declared twice; or, with a name of its own, once more."""
    tools = [tool for tool in draft.body.get("tools", []) if tool.get("type", "custom") == "custom"]
    if not tools:
        return None
    draft.body["tools"].append({**copy.deepcopy(tools[0]), **({"name": name} if name else {})})
    return {"K": len(draft.body["tools"]) - 1}


def change_system(draft: Draft, text: str) -> Place | None:
    """Another system prompt than earlier turns had, where the model was thinking in one of them."""
    thinking = [at for at, _, block in draft.blocks("assistant", "thinking") if block in draft.answers.get(at, ())]
    if not thinking:
        return None
    draft.body["system"] = text
    return {"N": thinking[0]}
