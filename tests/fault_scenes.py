"""Recorded conversations in a few lines, and runs of faults over them, attempt by attempt, without a client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from convo_replay.exchange import Chunk, End, Exchange, Head, Json, Request
from convo_replay.faults import positions, specs
from convo_replay.faults.specs import Plan, Spec
from convo_replay.turns import turns
from convo_replay.verdict.evidence import Attempt, Expected, Run, Wait
from convo_replay.verdict.judging import Verdict, judge

Message = dict[str, Any]
MESSAGES = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
EVENTS = (("content-type", "text/event-stream"), ("request-id", "req_1"))
DOCUMENT = (("content-type", "application/json"), ("request-id", "req_1"))
MODEL, CHAT_MODEL = "claude-sonnet-5-5", "gpt-5.5"
TOOL = {
    "name": "get_weather",
    "description": "The weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CHAT_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": TOOL["input_schema"]}}


# --- messages --------------------------------------------------------------------------------------


def user(content: Any) -> Message:
    return {"role": "user", "content": content}


def assistant(*blocks: Message) -> Message:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str) -> Message:
    return {"type": "text", "text": said}


def thinking(said: str = "They ask for the weather in Paris.", signature: str = "c2lnbmF0dXJl") -> Message:
    return {"type": "thinking", "thinking": said, "signature": signature}


def use(ident: str = "toolu_1", **given: Any) -> Message:
    return {"type": "tool_use", "id": ident, "name": "get_weather", "input": given or {"city": "Paris"}}


def result(ident: str = "toolu_1", content: str = "18 degrees", **other: Any) -> Message:
    return {"type": "tool_result", "tool_use_id": ident, "content": content, **other}


def call(ident: str = "call_1", arguments: str = '{"city": "Paris"}') -> Message:
    return {"id": ident, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def tool(ident: str = "call_1", content: str = "18 degrees") -> Message:
    return {"role": "tool", "tool_call_id": ident, "content": content}


# --- exchanges -------------------------------------------------------------------------------------


def ask(messages: Sequence[Message], *, model: str = MODEL, **body: Any) -> Request:
    """A request to the Messages API."""
    value = {"model": model, "max_tokens": 1024, "messages": list(messages), "stream": True, **body}
    return Request("POST", MESSAGES, (("anthropic-version", "2026-10-21"),), Json(value))


def chat(messages: Sequence[Message], *, model: str = CHAT_MODEL, **body: Any) -> Request:
    """A request for a chat completion."""
    return Request("POST", CHAT, (), Json({"model": model, "messages": list(messages), "stream": True, **body}))


def answered(request: Request, *blocks: Message, stop: str = "") -> Exchange:
    """A request with its recorded answer: blocks of the Messages API, in the format that the request asks for."""
    stop = stop or ("tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn")
    streamed = request.json.get("stream") is True
    if request.url == CHAT:
        chunks = list(_chat_chunks(blocks, stop)) if streamed else [json.dumps(_completion(blocks, stop)).encode()]
    else:
        chunks = list(_events(blocks, stop)) if streamed else [json.dumps(_message(blocks, stop)).encode()]
    head = Head(200, EVENTS if streamed else DOCUMENT, 0.1)
    steps = [Chunk(0.2 + at / 1000, data) for at, data in enumerate(chunks)]
    return Exchange(request, (head, *steps, End(at=1.0)), recorded="2026-11-23T10:00:00Z")


def _message(blocks: Sequence[Message], stop: str | None) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": 7}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": list(blocks),
        "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _events(blocks: Sequence[Message], stop: str) -> Iterator[bytes]:
    yield _event("message_start", message=_message([], None))
    for index, block in enumerate(blocks):
        yield from _block(index, block)
    yield _event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 7})
    yield _event("message_stop")


def _block(index: int, block: Message) -> Iterator[bytes]:
    kind = block["type"]
    start = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
    yield _event("content_block_start", index=index, content_block={**block, **start})
    if kind == "tool_use":
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in _halves(json.dumps(block["input"]))]
    else:
        deltas = [{"type": f"{kind}_delta", kind: part} for part in _halves(block[kind])]
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _halves(whole: str) -> list[str]:
    return [whole[: len(whole) // 2], whole[len(whole) // 2 :]]


def _completion(blocks: Sequence[Message], stop: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    for block in blocks:
        if block["type"] == "text":
            message["content"] = block["text"]
        elif block["type"] == "thinking":
            message["reasoning_content"] = block["thinking"]
        else:
            message.setdefault("tool_calls", []).append(call(block["id"], json.dumps(block["input"])))
    choice = {"index": 0, "message": message, "finish_reason": _finish(stop), "logprobs": None}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": CHAT_MODEL, "choices": [choice],
            "usage": usage}  # fmt: skip


def _finish(stop: str) -> str:
    return {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}.get(stop, stop)


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL, "choices": [choice]}
    return f"data: {json.dumps(value)}\n\n".encode()


def _chat_chunks(blocks: Sequence[Message], stop: str) -> Iterator[bytes]:
    yield _chunk({"role": "assistant", "content": ""})
    for block in blocks:
        if block["type"] == "tool_use":
            begun = call(block["id"], "")
            yield _chunk({"tool_calls": [{"index": 0, **begun}]})
            for part in _halves(json.dumps(block["input"])):
                yield _chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        else:
            key = "content" if block["type"] == "text" else "reasoning_content"
            for part in _halves(block[block["type"]]):
                yield _chunk({key: part})
    yield _chunk({}, _finish(stop))
    yield b"data: [DONE]\n\n"


# --- runs ------------------------------------------------------------------------------------------


class Scene:
    """A run, attempt by attempt. Each takes a hundredth of a second; `after` is the time since the last one ended.

    Args:
        recorded: the exchanges of the cassette, one per turn.
        plan: what was asked for.
    """

    def __init__(self, *recorded: Exchange, plan: str = "") -> None:
        self.recorded = recorded
        plans = specs.parse(plan) if plan else ()
        self.run = Run(plan=plans[0] if plans else Plan(()), turns=turns(recorded))
        self.clock = 100.0
        self._numbers: dict[int, int] = {}

    def play(
        self,
        turn: int,
        fault: str = "",
        *,
        after: float = 0.0,
        waits: Sequence[float] = (),
        state: Any = "",
        error: BaseException | None = None,
        took: int | None = None,
        key: bytes = b"k",
        **other: Any,
    ) -> Attempt:
        """A request that a recorded turn answers, as it was or broken.

        Args:
            waits: seconds that were asked for before it, after the last attempt.
            state: by default what the steps lead to.
            took: bytes of the body that the client took; all by default.
        """
        recorded = self.recorded[turn]
        hit = _specs(fault)
        played = replace(recorded, steps=positions.apply(hit, recorded)) if hit else recorded
        number = self._numbers.get(turn, 0)
        self._numbers[turn] = number + 1
        state = state or ("read" if played.end.kind == "complete" else "raised")
        attempt = self._begin(
            after, waits, Attempt(len(self.run.attempts), turn, number, recorded.request, recorded, played)
        )
        attempt.faults, attempt.state, attempt.credentials = hit, state, key
        attempt.raised = error
        attempt.delivered = len(played.body) if took is None else took
        if hit:
            self.run.fired |= set(range(len(self.run.plan.specs))) or {0}
        for name, value in other.items():
            setattr(attempt, name, value)
        return attempt

    def diverge(self, request: Request, *, after: float = 0.0, waits: Sequence[float] = ()) -> Attempt:
        """A request that nothing answers."""
        slot = len(self.run.attempts)
        made = Attempt(slot, None, 0, request, self.recorded[-1], None, state="diverged", credentials=b"k")
        return self._begin(after, waits, made)

    def branch(self, exchange: Exchange, *, live: bool = False, after: float = 0.0) -> Attempt:
        """A request that a recorded branch answers."""
        exchange = replace(exchange, after=str(self.run.plan) or "429@t0")
        slot = len(self.run.attempts)
        made = Attempt(slot, None, 0, exchange.request, None if live else exchange, exchange, state="read", live=live)
        made.delivered = len(exchange.body)
        return self._begin(after, (), made)

    def _begin(self, after: float, waits: Sequence[float], attempt: Attempt) -> Attempt:
        if waits and self.run.attempts:
            self.run.attempts[-1].waits += [Wait(wait, "anthropic._base_client", "time.sleep") for wait in waits]
        self.clock += max(after, sum(waits))
        attempt.began, attempt.ended = self.clock, self.clock + 0.01
        self.clock += 0.01
        self.run.attempts.append(attempt)
        return attempt

    def judge(
        self, raised: BaseException | None = None, expected: Expected = "", ignore: Sequence[str] = ()
    ) -> Verdict:
        return judge(self.run, raised=raised, expected=expected, ignore=ignore)


def _specs(fault: str) -> tuple[Spec, ...]:
    return specs.parse(fault)[0].specs if fault else ()


def rules(verdict: Verdict) -> list[str]:
    """What was found: `error no-backoff`."""
    return [f"{finding.level} {finding.rule}" for finding in verdict.findings]
