"""Edits of a history: tools and their results, thinking, what the model had said."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

from mutating.drafts import Block, Draft, Place

MORE = {"type": "text", "text": "And please keep it short."}


def drop_result(draft: Draft) -> Place | None:
    """One result is gone; where it was the only block, text stands there."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    content = draft.content(at + 1)
    content.pop(draft.results(at + 1)[0 if draft.first else -1])
    if not content:
        content.append(copy.deepcopy(MORE))
    return {"N": at}


def drop_results_message(draft: Draft) -> Place | None:
    """The message with the results is gone, and the next assistant turn follows the tool call."""
    at = draft.pick(at for at in draft.loops() if at + 2 < len(draft.messages))
    if at is None or draft.messages[at + 2]["role"] != "assistant":
        return None
    draft.messages.pop(at + 1)
    asking = [place for place, _, _ in draft.blocks("assistant", "tool_use") if place in (at, at + 1)]
    return {"N": max(asking) if draft.messages[at + 1]["role"] == "assistant" else at, "K": at}


def end_after_call(draft: Draft) -> Place | None:
    """The history ends with the tool call; a new question follows it, without results."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.messages[at + 1 :] = [{"role": "user", "content": "Never mind. What is the capital of France?"}]
    return {"N": at}


def end_with_call(draft: Draft) -> Place | None:
    """The history ends with the tool call itself."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    del draft.messages[at + 1 :]
    return {"N": at}


def result_twice(draft: Draft) -> Place | None:
    """A call has two results."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    place = draft.results(at + 1)[-1]
    draft.content(at + 1).insert(place + 1, copy.deepcopy(draft.content(at + 1)[place]))
    return {"R": at + 1, "M": place + 1}


def call_id_twice(draft: Draft) -> Place | None:
    """Two calls of one turn have one id."""
    calls: dict[int, list[int]] = {}
    for index, at, _ in draft.blocks("assistant", "tool_use"):
        calls.setdefault(index, []).append(at)
    index = draft.pick(index for index, places in calls.items() if len(places) > 1)
    if index is None:
        return None
    one, two, *_ = calls[index]
    draft.content(index)[two]["id"] = draft.content(index)[one]["id"]
    return {"N": index, "M": two}


def result_too_late(draft: Draft) -> Place | None:
    """An assistant message stands between the tool call and its result."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.messages[at + 1 : at + 1] = [
        {"role": "user", "content": "Wait."},
        {"role": "assistant", "content": [{"type": "text", "text": "I wait."}]},
    ]
    return {"N": at, "R": at + 3, "M": draft.results(at + 3)[0]}


def text_before_result(draft: Draft, **block: Any) -> Place | None:
    """A block stands before the results."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.content(at + 1).insert(0, copy.deepcopy(block) or copy.deepcopy(MORE))
    return {"N": at}


def text_between_results(draft: Draft) -> Place | None:
    """A text stands between two results."""
    at = draft.pick(at for at in draft.loops() if len(draft.results(at + 1)) > 1)
    if at is None:
        return None
    draft.content(at + 1).insert(draft.results(at + 1)[0] + 1, copy.deepcopy(MORE))
    return {"N": at}


def user_message_before_results(draft: Draft) -> Place | None:
    """A user message stands between the call and the message with the results: one turn, and text comes first."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.messages.insert(at + 1, {"role": "user", "content": "One moment."})
    return {"N": at}


def rename_result(draft: Draft, id: str = "toolu_01AAAAAAAAAAAAAAAAAAAAAA") -> Place | None:
    """A result answers a tool that nobody called."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    place = draft.results(at + 1)[0 if draft.first else -1]
    draft.content(at + 1)[place]["tool_use_id"] = id
    return {"N": at, "R": at + 1, "M": place}


def save_text_only(draft: Draft, needs_text: bool = False) -> Place | None:
    """The assistant turn was saved without its tool call, and the results follow all the same."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    kept = [block for block in draft.content(at) if block.get("type") != "tool_use"]
    if needs_text and not any(block.get("text", "").strip() for block in kept):
        return None
    draft.messages[at]["content"] = kept or [{"type": "text", "text": "I look that up."}]
    return {"N": at, "R": at + 1, "M": draft.results(at + 1)[0]}


def result_of_earlier_turn(draft: Draft) -> Place | None:
    """A result is repeated in a later user message."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    result = copy.deepcopy(draft.content(at + 1)[draft.results(at + 1)[0]])
    draft.messages[at + 2 :] = [
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        {"role": "user", "content": [result, copy.deepcopy(MORE)]},
    ]
    return {"R": at + 3, "M": 0}


def stray_result(draft: Draft) -> Place | None:
    """The conversation begins with a result."""
    if draft.messages[0]["role"] != "user":
        return None
    draft.content(0).insert(0, {"type": "tool_result", "tool_use_id": "toolu_01AAAAAAAAAAAAAAAAAAAAAA", "content": "4"})
    return {"R": 0, "M": 0}


def split_results(draft: Draft) -> Place | None:
    """Legal: the results, or the results and what follows them, in two user messages."""
    at = draft.pick(at for at in draft.loops() if len(draft.content(at + 1)) > 1)
    if at is None:
        return text_after_results_in_a_message(draft)
    content = draft.content(at + 1)
    draft.messages[at + 1 : at + 2] = [
        {"role": "user", "content": content[:1]},
        {"role": "user", "content": content[1:]},
    ]
    return {"N": at}


def text_after_results_in_a_message(draft: Draft) -> Place | None:
    """Legal: text in a user message of its own, after the one with the results."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.messages.insert(at + 2, {"role": "user", "content": "And please keep it short."})
    return {"N": at}


def text_after_result(draft: Draft) -> Place | None:
    """Legal: text after the results."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.content(at + 1).append(copy.deepcopy(MORE))
    return {"N": at}


def reorder_results(draft: Draft) -> Place | None:
    """Legal: results in another order."""
    at = draft.pick(at for at in draft.loops() if len(draft.results(at + 1)) > 1)
    if at is None:
        return result_as_blocks(draft)
    content, places = draft.content(at + 1), draft.results(at + 1)
    content[places[0]], content[places[-1]] = content[places[-1]], content[places[0]]
    return {"N": at}


def result_as_blocks(draft: Draft) -> Place | None:
    """Legal: a result's text as a text block, or the other way round."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    result = draft.content(at + 1)[draft.results(at + 1)[0]]
    given = result.get("content")
    if isinstance(given, str):
        result["content"] = [{"type": "text", "text": given}] if given else []
    elif isinstance(given, list) and len(given) == 1 and set(given[0]) == {"type", "text"}:
        result["content"] = given[0]["text"]
    return {"N": at}


def result_without_content(draft: Draft) -> Place | None:
    """Legal: a result that says nothing."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    draft.content(at + 1)[draft.results(at + 1)[0]].pop("content", None)
    return {"N": at}


def split_first_user_turn(draft: Draft) -> Place | None:
    """Legal: one more user message before the first one."""
    if draft.messages[0]["role"] != "user":
        return None
    draft.messages.insert(0, {"role": "user", "content": "Hello."})
    return {}


def rename_call_and_result(draft: Draft) -> Place | None:
    """Legal where no earlier answer is known: the call and its result have another id."""
    at = draft.pick(draft.loops())
    if at is None:
        return None
    result = draft.content(at + 1)[draft.results(at + 1)[0]]
    for block in draft.content(at):
        if block.get("id") == result["tool_use_id"]:
            block["id"] = result["tool_use_id"] = "toolu_01BBBBBBBBBBBBBBBBBBBBBB"
            return {"N": at}
    return None


def new_field(draft: Draft, role: str = "assistant", kind: str = "tool_use") -> Place | None:
    """Legal: a field that nobody knows yet."""
    site = draft.pick(draft.blocks(role, kind))
    if site is None:
        return None
    site[2]["new_field"] = True
    return {"N": site[0], "M": site[1]}


# --- server tools ------------------------------------------------------------------------------------

_RESULT_OF = {
    "web_search": "web_search_tool_result",
    "web_fetch": "web_fetch_tool_result",
    "code_execution": "code_execution_tool_result",
    "bash_code_execution": "bash_code_execution_tool_result",
    "text_editor_code_execution": "text_editor_code_execution_tool_result",
    "tool_search_tool_regex": "tool_search_tool_result",
    "tool_search_tool_bm25": "tool_search_tool_result",
    "advisor": "advisor_tool_result",
}


def _server_uses(draft: Draft) -> list[tuple[int, int, int]]:
    """Message, call, result: of the server tools that are answered in their own message."""
    found = []
    for index, at, block in draft.blocks("assistant", "server_tool_use"):
        for place, other in enumerate(draft.content(index)):
            if other.get("tool_use_id") == block["id"] and other.get("type") == _RESULT_OF.get(block["name"]):
                found.append((index, at, place))
    return found


def drop_server_result(draft: Draft) -> Place | None:
    """A server tool's result is gone from a turn that others follow."""
    asking = {index for index, _, _ in draft.blocks("assistant", "tool_use")}  # there it may come later
    sites = [site for site in _server_uses(draft) if site[0] + 1 < len(draft.messages) and site[0] not in asking]
    site = draft.pick(sites)
    if site is None:
        return None
    index, at, place = site
    content = draft.content(index)
    content.pop(place)
    if at == len(content) - 1:
        content.append({"type": "text", "text": "That is what I found."})
    return {"N": index, "M": at}


def drop_server_call(draft: Draft) -> Place | None:
    """A server tool's result stands there without its call."""
    site = draft.pick(_server_uses(draft))
    if site is None:
        return None
    index, at, place = site
    draft.content(index).pop(at)
    return {"N": index, "M": place - 1}


def pause(draft: Draft) -> Place | None:
    """Legal: the history ends with the assistant turn whose server tool has no result yet (`pause_turn`)."""
    site = draft.pick(_server_uses(draft))
    if site is None:
        return None
    index, at, _ = site
    del draft.messages[index + 1 :]
    del draft.content(index)[at + 1 :]
    if any(block.get("type") == "tool_use" for block in draft.content(index)):
        return None
    return {"N": index, "M": at}


# --- thinking ----------------------------------------------------------------------------------------


def _received_thinking(draft: Draft) -> list[tuple[int, int, Block]]:
    """Thinking blocks of the latest assistant message that stand there as they were received."""
    found = [(index, at, block) for index, at, block in draft.blocks("assistant", "thinking", "redacted_thinking")]
    latest = max((index for index, message in enumerate(draft.messages) if message["role"] == "assistant"), default=-1)
    return [site for site in found if site[0] == latest and site[2] in draft.answers.get(site[0], ())]


def alter_thinking(draft: Draft, key: str = "thinking") -> Place | None:
    """A character more in a thinking block, its signature, or its data."""
    site = draft.pick(site for site in _received_thinking(draft) if key in site[2])
    if site is None:
        return None
    site[2][key] = site[2][key] + " " if key == "thinking" else "A" + site[2][key][1:-1] + "A"
    return {"N": site[0], "M": site[1]}


def empty_thinking(draft: Draft) -> Place | None:
    """A thinking block whose text was thrown away."""
    site = draft.pick(site for site in _received_thinking(draft) if site[2].get("thinking"))
    if site is None:
        return None
    site[2]["thinking"] = ""
    return {"N": site[0], "M": site[1]}


def thinking_keys_reordered(draft: Draft) -> Place | None:
    """Legal: the same block, its keys in another order."""
    site = draft.pick(_received_thinking(draft))
    if site is None:
        return None
    items = list(site[2].items())
    site[2].clear()
    site[2].update(reversed(items))
    return {}


def move_thinking(draft: Draft) -> Place | None:
    """The latest thinking stands behind what it came before."""
    site = draft.pick(site for site in _received_thinking(draft) if site[1] + 1 < len(draft.content(site[0])))
    if site is None:
        return None
    index, at, block = site
    draft.content(index).pop(at)
    draft.content(index).append(block)
    return {"N": index, "M": len(draft.content(index)) - 1}


def no_signature(draft: Draft) -> Place | None:
    """A thinking block that lost its signature."""
    site = draft.pick(site for site in draft.blocks("assistant", "thinking"))
    if site is None:
        return None
    site[2].pop("signature", None)
    return {"N": site[0], "M": site[1]}


def drop_thinking(draft: Draft) -> Place | None:
    """Every assistant turn of the open tool loop begins without its thinking."""
    at = _open_loop(draft)
    if at is None:
        return None
    for index in range(_loop_start(draft, at), at + 1, 2):
        kept = [block for block in draft.content(index) if block.get("type") not in ("thinking", "redacted_thinking")]
        draft.messages[index]["content"] = kept
    return {"N": at}


def thinking_last(draft: Draft) -> Place | None:
    """The thinking of the open tool loop stands behind the tool call."""
    at = _open_loop(draft)
    if at is None or _loop_start(draft, at) < at or draft.content(at)[0].get("type") != "thinking":
        return None
    draft.content(at).insert(1, draft.content(at).pop(0))
    return {"N": at}


def redact_thinking(draft: Draft) -> Place | None:
    """Legal where no earlier answer is known: redacted thinking in its place."""
    at = _open_loop(draft)
    if at is None or draft.content(at)[0].get("type") != "thinking":
        return None
    draft.content(at)[0] = {"type": "redacted_thinking", "data": draft.content(at)[0]["signature"]}
    return {"N": at}


def add_thinking(draft: Draft) -> Place | None:
    """The assistant turn of the open tool loop begins with thinking."""
    from mutating.legal import thought

    at = _open_loop(draft)
    if at is None:
        return None
    draft.content(at).insert(0, thought(at))
    return {"N": at, "M": 0}


def add_text(draft: Draft) -> Place | None:
    """Legal where no earlier answer is known: text before the tool call of the open tool loop."""
    at = _open_loop(draft)
    if at is None:
        return None
    calls = [place for place, block in enumerate(draft.content(at)) if block.get("type") == "tool_use"]
    draft.content(at).insert(calls[0], {"type": "text", "text": "I look that up."})
    return {"N": at}


def _open_loop(draft: Draft) -> int | None:
    """The assistant message that the last message answers with results, where that turn is one message."""
    at = len(draft.messages) - 2
    if at not in draft.loops() or (at and draft.messages[at - 1]["role"] == "assistant"):
        return None
    return at


def _loop_start(draft: Draft, at: int) -> int:
    """The first assistant message of the tool loop that one is in."""
    while at - 2 in draft.loops() and at - 1 >= 0 and draft.messages[at - 1]["role"] == "user":
        at -= 2
    return at


# --- what was sent back against what was received ----------------------------------------------------


def _echoes(draft: Draft, fits: Callable[[list[Block]], bool]) -> list[int]:
    """Assistant messages that stand there as they were received, but for fields of a block."""
    found = []
    for index, answer in draft.answers.items():
        if index >= len(draft.messages) or draft.messages[index].get("role") != "assistant":
            continue
        content = draft.messages[index].get("content")
        if not isinstance(content, list) or not isinstance(answer, list):
            continue
        same = len(content) == len(answer) and all(map(_alike, content, answer))
        if same and fits(content):
            found.append(index)
    return sorted(found)


def _alike(sent: Block, got: Block) -> bool:
    keys = [key for key in ("type", "text", "input", "id") if key in sent]
    return all(sent[key] == got.get(key) for key in keys)


def cut_text(draft: Draft) -> Place | None:
    """The text of an assistant turn was cut when it was saved."""
    index = draft.pick(_echoes(draft, lambda content: any(len(block.get("text", "")) > 40 for block in content)))
    if index is None:
        return None
    for at, block in enumerate(draft.content(index)):
        if len(block.get("text", "")) > 40:
            block["text"] = block["text"][: len(block["text"]) // 2].rstrip()
            return {"N": index, "M": at}
    return None


def rebuild_input(draft: Draft) -> Place | None:
    """The input of a tool call was built anew, otherwise than it came."""
    index = draft.pick(_echoes(draft, lambda content: any(block.get("type") == "tool_use" for block in content)))
    if index is None:
        return None
    for at, block in enumerate(draft.content(index)):
        if block.get("type") == "tool_use":
            block["input"] = {**block["input"], "extra": 1}
            return {"N": index, "M": at}
    return None


def drop_text(draft: Draft) -> Place | None:
    """The text beside a tool call was not saved."""

    def fits(content: list[Block]) -> bool:
        kinds = {block.get("type") for block in content}
        return {"text", "tool_use"} <= kinds

    index = draft.pick(_echoes(draft, fits))
    if index is None:
        return None
    content = draft.content(index)
    at = next(at for at, block in enumerate(content) if block.get("type") == "text")
    content.pop(at)
    return {"N": index, "M": at}


def reorder_calls(draft: Draft) -> Place | None:
    """Two tool calls of one turn changed places."""
    index = draft.pick(_echoes(draft, lambda content: sum(block.get("type") == "tool_use" for block in content) > 1))
    if index is None:
        return None
    content = draft.content(index)
    one, two, *_ = [at for at, block in enumerate(content) if block.get("type") == "tool_use"]
    content[one], content[two] = content[two], content[one]
    return {"N": index, "M": one}


def keys_reordered(draft: Draft) -> Place | None:
    """Legal: the keys of an assistant message and of its blocks in another order."""
    index = draft.pick(_echoes(draft, lambda content: True))
    if index is None:
        return None
    draft.messages[index]["content"] = [dict(reversed(block.items())) for block in draft.content(index)]
    return {}


def split_echo(draft: Draft) -> Place | None:
    """Legal: the assistant turn in two messages of one role."""
    index = draft.pick(_echoes(draft, lambda content: len(content) > 1))
    if index is None:
        return None
    content = draft.content(index)
    halves = content[:1], content[1:]
    draft.messages[index : index + 1] = [{"role": "assistant", "content": half} for half in halves]
    return {}


# --- blocks as such ----------------------------------------------------------------------------------


def change_block(draft: Draft, role: str, kind: str, drop: str = "", **keys: Any) -> Place | None:
    """A block with other values, or without a key."""
    site = draft.pick(draft.blocks(role, kind))
    if site is None:
        return None
    site[2].update(copy.deepcopy(keys))
    site[2].pop(drop, None)
    return {"N": site[0], "M": site[1]}


def add_block(draft: Draft, role: str = "user", **block: Any) -> Place | None:
    """One block more at the end of a message."""
    messages = [index for index, message in enumerate(draft.messages) if message.get("role") == role]
    index = draft.pick(messages)
    if index is None:
        return None
    draft.content(index).append(copy.deepcopy(block))
    return {"N": index, "M": len(draft.content(index)) - 1}


def change_message(draft: Draft, role: str = "user", drop: str = "", **keys: Any) -> Place | None:
    """A message with other values, or without a key."""
    at = draft.pick(index for index, message in enumerate(draft.messages) if message.get("role") == role)
    if at is None:
        return None
    draft.messages[at].update(copy.deepcopy(keys))
    draft.messages[at].pop(drop, None)
    return {"N": at}


def block_in_wrong_turn(draft: Draft, kind: str = "tool_result", role: str = "assistant") -> Place | None:
    """A block of one role's turn stands in another's."""
    found = itertools.chain(draft.blocks("user", kind), draft.blocks("assistant", kind))
    site = draft.pick(found)
    if site is None:
        return None
    places = [index for index, message in enumerate(draft.messages) if message["role"] == role]
    index = draft.pick(places)
    if index is None:
        return None
    draft.content(index).append(copy.deepcopy(site[2]))
    return {"N": index, "M": len(draft.content(index)) - 1}
