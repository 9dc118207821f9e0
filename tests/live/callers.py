"""What an application does with a model, written down as what it saw: the same code records and replays.

A caller takes a base URL and returns `Seen`: the events in order, each as plain data, and the
exception that ended it. It works in both SDK generations (on httpx and on httpx2), so that the files
beside it run unchanged under either. `confirm(n)` is called as soon as event `n` has arrived.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import openai

import convo_replay

KEY = "sk-ant-api03-" + "Qw7eRt9yUi3oPa5sDf-" * 4 + "GhJkLzXcVbNm01234AA"
MODEL = "claude-sonnet-4-6"
Confirm = Callable[[int], None]

httpx2: Any = importlib.import_module("httpx2") if importlib.util.find_spec("httpx2") else None
OLD = httpx2 is None
"""Whether the installed SDKs are of the generation on httpx."""
LIBRARIES = ["httpx"] if httpx2 is None else ["httpx", "httpx2"]
sdk_http: Any = httpx if OLD else httpx2
"""The HTTP library of the installed SDKs."""


use_cassette = functools.partial(convo_replay.use_cassette, max_requests=5000)
"""With a budget of its own: all tests of a process together make more live requests than a session may."""


@dataclass
class Seen:
    events: list[Any] = field(default_factory=list)
    error: tuple[str, str] | None = None


def nothing(n: int) -> None:
    """Confirm nothing."""


def plain(event: Any) -> Any:
    return event.model_dump(mode="json", warnings=False) if hasattr(event, "model_dump") else event


def body(text: str = "What's the weather in Paris? ☀️", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": text}], **more}


def named(error: BaseException) -> tuple[str, str]:
    return f"{type(error).__module__}.{type(error).__qualname__}", str(error)


def ended(seen: Seen, error: BaseException) -> Seen:
    seen.error = named(error)
    return seen


def client(base: str, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(**{"api_key": KEY, "base_url": base, "timeout": 10, **options})


def async_client(base: str, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(**{"api_key": KEY, "base_url": base, "timeout": 10, **options})


def openai_client(base: str, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(**{"api_key": KEY, "base_url": base + "/v1", "timeout": 10, **options})


# anthropic


def anthropic_create(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    seen = Seen()
    with client(base, **options) as api:
        try:
            seen.events.append(plain(api.messages.create(**body())))
        except Exception as error:
            return ended(seen, error)
    return seen


def anthropic_stream(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    seen = Seen()
    with client(base, **options) as api:
        try:
            for n, event in enumerate(api.messages.create(**body(), stream=True)):
                seen.events.append(plain(event))
                confirm(n)
        except Exception as error:
            return ended(seen, error)
    return seen


def anthropic_async_stream(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    async def call() -> Seen:
        seen = Seen()
        async with async_client(base, **options) as api:
            try:
                async for event in await api.messages.create(**body(), stream=True):
                    seen.events.append(plain(event))
                    confirm(len(seen.events) - 1)
            except Exception as error:
                return ended(seen, error)
        return seen

    return asyncio.run(call())


def anthropic_async_helper(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    """`AsyncAnthropic().messages.stream`, with its snapshots and the message at its end."""

    async def call() -> Seen:
        seen = Seen()
        async with async_client(base, **options) as api:
            try:
                async with api.messages.stream(**body()) as stream:
                    async for event in stream:
                        seen.events.append(plain(event))
                    seen.events.append(plain(await stream.get_final_message()))
            except Exception as error:
                return ended(seen, error)
        return seen

    return asyncio.run(call())


TOOLS: list[dict[str, Any]] = [
    {"name": name, "description": f"Look up the {name}.", "input_schema": {"type": "object"}}
    for name in ("get_weather", "get_time")
]


def anthropic_tool_loop(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    """Three streamed turns; every answer is sent back as it came."""
    seen = Seen()
    messages: list[Any] = [{"role": "user", "content": "Weather and time in Paris?"}]
    with client(base, **options) as api:
        for _ in range(5):
            with api.messages.stream(model=MODEL, max_tokens=256, tools=TOOLS, messages=messages) as stream:  # type: ignore[arg-type]
                seen.events += [plain(event) for event in stream]
                answer = stream.get_final_message()
            asked = [block for block in answer.content if block.type == "tool_use"]
            content = [{k: v for k, v in plain(block).items() if k in ("type", "text", "id", "name", "input")}
                       for block in answer.content]  # fmt: skip
            messages.append({"role": "assistant", "content": content})
            if not asked:
                break
            messages.append({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": block.id, "content": f"{block.name}: 18"} for block in asked
            ]})  # fmt: skip
    return seen


def anthropic_thinking(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    """Two streamed turns, the thinking block sent back as it came: the upstream refuses a changed one."""
    seen = Seen()
    messages: list[Any] = [{"role": "user", "content": "Weather?"}]
    with client(base, **options) as api:
        for text in ("And tomorrow?", ""):
            thinking: Any = {"type": "enabled", "budget_tokens": 1024}
            with api.messages.stream(model="claude-opus-4-5", max_tokens=2048, messages=messages,
                                     thinking=thinking) as stream:  # fmt: skip
                seen.events += [plain(event) for event in stream]
                answer = stream.get_final_message()
            content = [{k: v for k, v in plain(block).items() if k in ("type", "text", "thinking", "signature")}
                       for block in answer.content]  # fmt: skip
            messages += [{"role": "assistant", "content": content}, {"role": "user", "content": text}]
    return seen


# openai


def openai_create(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    seen = Seen()
    with openai_client(base, **options) as api:
        try:
            seen.events.append(plain(api.chat.completions.create(model=MODEL, messages=body()["messages"])))
        except Exception as error:
            return ended(seen, error)
    return seen


def openai_stream(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    seen = Seen()
    with openai_client(base, **options) as api:
        try:
            for n, chunk in enumerate(
                api.chat.completions.create(
                    model=MODEL, messages=body()["messages"], stream=True, stream_options={"include_usage": True}
                )
            ):
                seen.events.append(plain(chunk))
                confirm(n)
        except Exception as error:
            return ended(seen, error)
    return seen


def openai_async_stream(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    async def call() -> Seen:
        seen = Seen()
        options_ = {"api_key": KEY, "base_url": base + "/v1", "timeout": 10, **options}
        async with openai.AsyncOpenAI(**options_) as api:
            try:
                async for chunk in await api.chat.completions.create(
                    model=MODEL, messages=body()["messages"], stream=True
                ):
                    seen.events.append(plain(chunk))
                    confirm(len(seen.events) - 1)
            except Exception as error:
                return ended(seen, error)
        return seen

    return asyncio.run(call())


def openai_tool_loop(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
    """Three streamed turns of chat completions with tool calls put together from fragments."""
    seen = Seen()
    messages: list[Any] = [{"role": "user", "content": "Weather and time in Paris?"}]
    with openai_client(base, **options) as api:
        for _ in range(5):
            text, calls = "", {}
            for chunk in api.chat.completions.create(model=MODEL, messages=messages, stream=True):
                seen.events.append(plain(chunk))
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    for part in choice.delta.tool_calls or ():
                        call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                        call["id"] = call["id"] or part.id
                        call["name"] = call["name"] or part.function.name
                        call["arguments"] += part.function.arguments or ""
            if not calls:
                return seen
            messages.append({"role": "assistant", "content": text or None, "tool_calls": [
                {"id": call["id"], "type": "function",
                 "function": {"name": call["name"], "arguments": call["arguments"]}} for call in calls.values()
            ]})  # fmt: skip
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": "18"} for call in calls.values()]
    return seen


# raw httpx and httpx2


def pieces(chunks: Iterable[bytes], seen: Seen, confirm: Confirm) -> None:
    for chunk in chunks:
        seen.events.append(chunk)
        confirm(b"".join(seen.events[1:]).count(b"\n\n") - 1)


async def async_pieces(chunks: AsyncIterator[bytes], seen: Seen, confirm: Confirm) -> None:
    async for chunk in chunks:
        seen.events.append(chunk)
        confirm(b"".join(seen.events[1:]).count(b"\n\n") - 1)


def raw(library: Any, stream: bool = True) -> Callable[..., Seen]:
    """`events`: the status, then chunks of the decoded body as they came."""

    def call(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
        seen = Seen()
        headers = {"authorization": f"Bearer {KEY}"}
        with library.Client(**{"timeout": 10, **options}) as api:
            try:
                with api.stream("POST", base + "/v1/messages", json=body(stream=stream), headers=headers) as response:
                    seen.events.append(response.status_code)
                    pieces(response.iter_bytes(), seen, confirm)
            except Exception as error:
                return ended(seen, error)
        return seen

    return call


def raw_async(library: Any, run: Callable[[Callable[[], Coroutine[Any, Any, Seen]]], Seen]) -> Callable[..., Seen]:
    def caller(base: str, confirm: Confirm = nothing, **options: Any) -> Seen:
        async def call() -> Seen:
            seen = Seen()
            async with library.AsyncClient(**{"timeout": 10, **options}) as api:
                try:
                    async with api.stream("POST", base + "/v1/messages", json=body(stream=True)) as response:
                        seen.events.append(response.status_code)
                        await async_pieces(response.aiter_bytes(), seen, confirm)
                except Exception as error:
                    return ended(seen, error)
            return seen

        return run(call)

    return caller


def on_asyncio(call: Callable[[], Coroutine[Any, Any, Seen]]) -> Seen:
    return asyncio.run(call())


def on_trio(call: Callable[[], Awaitable[Seen]]) -> Seen:
    import trio

    return trio.run(call)


HAS_TRIO = importlib.util.find_spec("trio") is not None

RAW: dict[str, Callable[..., Seen]] = {}
for _name in LIBRARIES:
    _library = httpx2 if _name == "httpx2" else httpx
    RAW[f"{_name} sync"] = raw(_library)
    RAW[f"{_name} asyncio"] = raw_async(_library, on_asyncio)
    if HAS_TRIO:
        RAW[f"{_name} trio"] = raw_async(_library, on_trio)

STREAMING: dict[str, Callable[..., Seen]] = {
    "anthropic stream": anthropic_stream,
    "anthropic async stream": anthropic_async_stream,
    "openai stream": openai_stream,
    "openai async stream": openai_async_stream,
    **RAW,
}
"""Callers that call `confirm` for each event as it comes."""
