"""What a request says of the conversation before it: which answer stands where, which tools were answered.

Both wire formats in one shape, the blocks of the Messages API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convo_replay.exchange import Request
from convo_replay.matching import canonical
from convo_replay.normalizing import normalized
from convo_replay.providers import wire
from convo_replay.providers.reply import ToolUse
from convo_replay.verdict.case import Case, history_of, is_branch, messages
from convo_replay.verdict.evidence import Attempt

_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
THINKING = frozenset({"thinking", "redacted_thinking"})
_ENOUGH = 12
"""Characters of a text's beginning that are enough to know it by."""
_FAILED = ("error", "invalid", "failed", "could not", '{"error"', '{"is_error"')


@dataclass(frozen=True)
class Result:
    """A tool's result in a request.

    Attributes:
        at: index of its message.
        asked: index of the assistant's message that asked for it; -1 where there is none.
        failed: whether it says that the tool was not run, or failed.
    """

    id: str
    at: int
    asked: int
    content: str
    failed: bool


def written(message: Any) -> str:
    """A message as text that is equal where the messages are; what varies from run to run is left out."""
    try:
        return normalized(canonical(message))
    except (TypeError, ValueError, RecursionError):
        return repr(message)


def history(attempt: Attempt) -> list[str]:
    """Each message of a request, `written`."""
    return [written(message) for message in messages(attempt)]


def role(message: Any) -> str:
    return wire.string(wire.mapping(message).get("role"))


def blocks(message: Any) -> list[dict[str, Any]]:
    """The blocks of a message that hold something."""
    value = wire.mapping(message)
    found: list[dict[str, Any]] = []
    thought = next((text for key in _REASONING if (text := value.get(key))), None)
    if thought:
        found.append({"type": "thinking", "thinking": thought if isinstance(thought, str) else wire.dump(thought)})
    content = value.get("content")
    if isinstance(content, str):
        found.append({"type": "text", "text": content})
    found += [part for part in wire.items(content) if isinstance(part, dict)]
    for call in map(wire.mapping, wire.items(value.get("tool_calls"))):
        function = wire.mapping(call.get("function"))
        given = wire.parse(wire.string(function.get("arguments")))
        use = {"id": call.get("id"), "name": function.get("name"), "input": {} if given is None else given}
        found.append({"type": "tool_use", **use})
    return [block for block in found if block.get("type") != "text" or wire.string(block.get("text")).strip()]


def without_thinking(message: Any) -> str:
    """A message `written` without what the model thought."""
    value = wire.mapping(message)
    kept = {key: part for key, part in value.items() if key not in _REASONING}
    content = kept.get("content")
    if isinstance(content, list):
        content = [part for part in content if wire.mapping(part).get("type") not in THINKING]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return written({**kept, "content": content or None})


def thoughts(message: Any) -> list[str]:
    """The thinking in a message, one text per block."""
    return [written(block) for block in blocks(message) if block.get("type") in THINKING]


def text_in(message: Any) -> str:
    """The texts of a message, joined."""
    return "".join([wire.string(block.get("text")) for block in blocks(message) if block.get("type") == "text"])


def results(attempt: Attempt) -> Iterator[Result]:
    """The tool results in a request, in order."""
    return results_of(attempt.request)


def results_of(request: Request, *, last: bool = False) -> Iterator[Result]:
    """The same of a request that is no attempt; `last`: only those that follow the last answer in it."""
    asked = -1
    history = history_of(request)
    start = 0
    if last:
        asked = max((at for at, message in enumerate(history) if role(message) == "assistant"), default=-1)
        start = asked + 1
    for at, message in enumerate(history[start:], start):
        if role(message) == "assistant":
            asked = at
        value = wire.mapping(message)
        if role(message) == "tool":
            yield _result(wire.string(value.get("tool_call_id")), at, asked, value.get("content"), False)
            continue
        for block in map(wire.mapping, wire.items(value.get("content"))):
            if block.get("type") == "tool_result":
                ident, failed = wire.string(block.get("tool_use_id")), block.get("is_error") is True
                yield _result(ident, at, asked, block.get("content"), failed)


def _result(ident: str, at: int, asked: int, content: Any, failed: bool) -> Result:
    parts = [wire.string(wire.mapping(part).get("text")) for part in wire.items(content)]
    text = content if isinstance(content, str) else "".join(parts)
    failed = failed or text.strip().lower().startswith(_FAILED)
    return Result(ident, at, asked, written(content), failed)


def later(case: Case) -> list[Attempt]:
    """Requests after the first fault that are none of the recorded ones: diverged, or those of a branch."""
    hit = next((attempt for attempt in case.run.attempts if attempt.faults), None)
    if hit is None:
        return []
    return [
        attempt
        for attempt in case.run.attempts
        if attempt.began >= hit.began and attempt is not hit and (attempt.state == "diverged" or is_branch(attempt))
    ]


def fault_before(case: Case, attempt: Attempt) -> Attempt | None:
    """The last faulted attempt before a request: what the client did it after."""
    place = _place(case, attempt)
    return next((one for one in reversed(case.run.attempts[:place]) if one.faults), None)


def is_after(case: Case, attempt: Attempt, other: Attempt) -> bool:
    """Whether one attempt began after another."""
    return _place(case, attempt) > _place(case, other)


def _place(case: Case, attempt: Attempt) -> int:
    return next((at for at, one in enumerate(case.run.attempts) if one is attempt), 0)


def answer_sent(question: Attempt, request: Attempt) -> tuple[int, Any] | None:
    """Where a later request holds what the client took for the answer to an earlier one: index and message."""
    asked, sent = messages(question), messages(request)
    if not asked:
        return None
    last = written(asked[-1])
    places = [len(asked) - 1, *range(len(sent) - 1, -1, -1)]
    for at in places:
        if at + 1 < len(sent) and role(sent[at + 1]) == "assistant" and written(sent[at]) == last:
            return at + 1, sent[at + 1]
    return None


def is_part(sent: Any, partial: Sequence[dict[str, Any]]) -> bool:
    """Whether a message begins with what came of an answer that broke off, or with the beginning of that."""
    mine = blocks(sent)
    return bool(mine) and any(_begins(mine[0], block) for block in partial)


def says_the_same(sent: Any, content: Sequence[dict[str, Any]]) -> bool:
    """Whether a message says what an answer says: its texts and its tools with their inputs."""
    return _words(blocks(sent)) == _words(content)


def thinks_as(sent: Any, recorded: Any, content: Sequence[dict[str, Any]]) -> bool:
    """Whether a message holds the thinking of the recorded one, or that of the answer as it came."""
    mine = _thinking(blocks(sent))
    return mine in (_thinking(blocks(recorded)), _thinking(content))


def _thinking(given: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    keys = ("type", "thinking", "signature", "data")
    return [tuple([wire.string(block.get(key)) for key in keys]) for block in given if block.get("type") in THINKING]


def calls(message: Any) -> list[tuple[Any, ...]]:
    """The tools that a message of the model calls, with their inputs."""
    return _words(blocks(message))[1:]


def _words(given: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    text = "".join([wire.string(block.get("text")).strip() for block in given if block.get("type") == "text"])
    uses = [block for block in given if block.get("type") == "tool_use"]
    return [("text", text), *(("use", block.get("id"), block.get("name"), block.get("input")) for block in uses)]


def _begins(mine: dict[str, Any], part: dict[str, Any]) -> bool:
    kind = part.get("type")
    if mine.get("type") != kind:
        return False
    if kind == "tool_use":
        return bool(mine.get("id")) and mine.get("id") == part.get("id")
    key = "thinking" if kind == "thinking" else "text"
    sent, came = wire.string(mine.get(key)).strip(), wire.string(part.get(key)).strip()
    if not sent or not came:
        return False
    if came.startswith(sent):
        return len(sent) >= min(_ENOUGH, len(came))
    return sent.startswith(came) and (len(came) >= _ENOUGH or not sent[len(came)].isalnum())


def same_use(use: ToolUse, at: int, recorded: Sequence[ToolUse]) -> ToolUse | None:
    """The recorded tool call that one of a broken answer is the beginning of."""
    by_id = next((one for one in recorded if use.id and one.id == use.id), None)
    return by_id or (recorded[at] if at < len(recorded) else None)
