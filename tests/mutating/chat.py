"""Edits of a history of chat completions."""

from __future__ import annotations

import copy
from typing import Any

from mutating.drafts import Draft, Place


def _asking(draft: Draft) -> list[int]:
    """Assistant messages whose calls are answered by the `tool` messages that follow."""
    found = []
    for index, message in enumerate(draft.messages):
        calls = message.get("tool_calls") or []
        following = draft.messages[index + 1 : index + 1 + len(calls)]
        answered = {answer.get("tool_call_id") for answer in following if answer.get("role") == "tool"}
        if calls and {call.get("id") for call in calls} == answered and len(answered) == len(calls):
            found.append(index)
    return found


def drop_answer(draft: Draft) -> Place | None:
    """One tool message is gone."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    draft.messages.pop(at + (1 if draft.first else len(draft.messages[at]["tool_calls"])))
    return {"N": at}


def drop_answers(draft: Draft) -> Place | None:
    """All tool messages are gone; a question follows the call."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    del draft.messages[at + 1 : at + 1 + len(draft.messages[at]["tool_calls"])]
    draft.messages.insert(at + 1, {"role": "user", "content": "Never mind."})
    return {"N": at}


def end_with_calls(draft: Draft) -> Place | None:
    """The history ends with the calls."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    del draft.messages[at + 1 :]
    return {"N": at}


def question_between(draft: Draft, role: str = "user") -> Place | None:
    """Another message stands between the call and its answers."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    draft.messages.insert(at + 1, {"role": role, "content": "One moment."})
    return {"N": at, "R": at + 2}


def rename_answer(draft: Draft) -> Place | None:
    """A tool message answers a call that nobody made."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    place = at + (1 if draft.first else len(draft.messages[at]["tool_calls"]))
    draft.messages[place]["tool_call_id"] = "call_AAAAAAAAAAAAAAAAAAAAAAAA"
    return {"N": at, "R": place}


def save_text_only(draft: Draft) -> Place | None:
    """The assistant message was saved without its calls."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    draft.messages[at].pop("tool_calls")
    draft.messages[at]["content"] = draft.messages[at].get("content") or "I look that up."
    return {"R": at + 1}


def stray_answer(draft: Draft) -> Place | None:
    """A tool message after a user's."""
    places = [at for at, message in enumerate(draft.messages) if message.get("role") == "user"]
    at = draft.pick(places)
    if at is None:
        return None
    draft.messages.insert(at + 1, {"role": "tool", "tool_call_id": "call_AAAAAAAAAAAAAAAAAAAAAAAA", "content": "4"})
    return {"R": at + 1}


def reorder_answers(draft: Draft) -> Place | None:
    """Legal: the answers in another order; of one alone, its text as a part."""
    at = draft.pick(at for at in _asking(draft) if len(draft.messages[at]["tool_calls"]) > 1)
    if at is None:
        return answer_as_parts(draft)
    last = at + len(draft.messages[at]["tool_calls"])
    draft.messages[at + 1], draft.messages[last] = draft.messages[last], draft.messages[at + 1]
    return {}


def answer_as_parts(draft: Draft) -> Place | None:
    """Legal: a tool's answer as a list of text parts."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    content = draft.messages[at + 1].get("content")
    if isinstance(content, str):
        draft.messages[at + 1]["content"] = [{"type": "text", "text": content}]
    return {}


def question_after(draft: Draft) -> Place | None:
    """Legal: another question after the answers."""
    at = draft.pick(_asking(draft))
    if at is None:
        return None
    place = at + 1 + len(draft.messages[at]["tool_calls"])
    draft.messages.insert(place, {"role": "user", "content": "And please keep it short."})
    return {}


def two_questions(draft: Draft) -> Place | None:
    """Legal: two user messages in a row."""
    at = draft.pick(at for at, message in enumerate(draft.messages) if message.get("role") == "user")
    if at is None:
        return None
    draft.messages.insert(at + 1, {"role": "user", "content": "And please keep it short."})
    return {"N": at + 1}


def change_message(draft: Draft, role: str, drop: str = "", calls: bool | None = None, **keys: Any) -> Place | None:
    """A message with other values, or without a key."""
    places = [
        at
        for at, message in enumerate(draft.messages)
        if message.get("role") == role
        and calls in (None, bool(message.get("tool_calls")))
        and not (drop == "content" and any(key.startswith("reasoning") for key in message))
    ]
    at = draft.pick(places)
    if at is None:
        return None
    draft.messages[at].update(copy.deepcopy(keys))
    draft.messages[at].pop(drop, None)
    return {"N": at}


def add_message(draft: Draft, **message: Any) -> Place | None:
    """One message more at the end."""
    if draft.messages[-1].get("role") != "user":
        return None
    draft.messages.append(copy.deepcopy(message))
    return {"N": len(draft.messages) - 1}


def new_field(draft: Draft, role: str = "assistant") -> Place | None:
    """Legal: a field that nobody knows yet."""
    at = draft.pick(at for at, message in enumerate(draft.messages) if message.get("role") == role)
    if at is None:
        return None
    draft.messages[at]["new_field"] = True
    return {"N": at}
