"""Runs the places: against a server in another process, with the real SDKs, sync and async."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from typing import Any

import anthropic
import openai

from faulty_server import Admin
from live.callers import sdk_http
from live.planted_asks import Answer, Ask, Place

SERIAL = itertools.count()


def key_of(n: int) -> str:
    """A segment of a path that looks like nothing: only letters."""
    return "p" + "".join(chr(ord("a") + int(digit)) for digit in f"{n:05}")


class Bench:
    """The running server, and the clients that ask it."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.api_key = "sk-ant-" + "api03-" + "Qw7eRt9yUi3oPa5sDf-" * 4 + "GhJkLzXcVbNm01234AA"

    def key(self) -> str:
        return key_of(next(SERIAL))

    def script(self, key: str, answers: list[Answer]) -> None:
        self.admin.ask("script", scripts={key: [steps(answer, key) for answer in answers]})

    def counts(self) -> int:
        total: int = sum(self.admin.ask("counts")["requests"].values())
        return total

    def base(self, key: str, ask: Ask, live: bool) -> str:
        port = self.admin.ports[ask.base if live else "refused"]
        return f"http://{ask.userinfo}127.0.0.1:{port}/{key}"

    def run(self, place: Place, key: str, mode: str, live: bool, headers: dict[str, str] | None = None) -> list[str]:
        """What the application saw, one text a call. `live`: at the server; else where nobody listens."""
        seen: list[str] = []
        try:
            ask = next(place)
            while True:
                if live:
                    self.script(key, [ask.answer])
                seen.append(self.call(ask, key, mode, live, headers or {}))
                ask = place.send(seen[-1])
        except StopIteration:
            return seen

    def call(self, ask: Ask, key: str, mode: str, live: bool, headers: dict[str, str]) -> str:
        base = self.base(key, ask, live)
        if mode == "async":
            return asyncio.run(self.call_async(ask, base, headers))
        try:
            if ask.api == "raw":
                with sdk_http.Client(timeout=20) as client:
                    response = client.request(ask.method, base + ask.path, **with_headers(ask.arguments, headers))
                    return said(response)
            with sdk(ask.api, base, self.api_key, headers) as api:
                result = method_of(api, ask.method)(**ask.arguments)
                if ask.arguments.get("stream"):
                    return "".join(map(text_of_event, result))
                return text_of(result)
        except (anthropic.AnthropicError, openai.OpenAIError, sdk_http.HTTPError) as error:
            return f"{type(error).__name__}: {error}"

    async def call_async(self, ask: Ask, base: str, headers: dict[str, str]) -> str:
        try:
            if ask.api == "raw":
                async with sdk_http.AsyncClient(timeout=20) as client:
                    sent = with_headers(ask.arguments, headers)
                    return said(await client.request(ask.method, base + ask.path, **sent))
            async with async_sdk(ask.api, base, self.api_key, headers) as api:
                result = await method_of(api, ask.method)(**ask.arguments)
                if ask.arguments.get("stream"):
                    return "".join([text_of_event(event) async for event in result])
                return text_of(result)
        except (anthropic.AnthropicError, openai.OpenAIError, sdk_http.HTTPError) as error:
            return f"{type(error).__name__}: {error}"


def steps(answer: Answer, key: str) -> list[dict[str, Any]]:
    headers = [(name, value.replace("{key}", f"/{key}")) for name, value in answer.headers]
    head = {"status": answer.status, "reason": "Said", "headers": headers}
    chunks = [{"chunk": base64.b64encode(data).decode()} for data in answer.chunks]
    phase = "chunk" if answer.end == "truncated" and len(chunks) > 1 else ""
    return [{"head": head}, *chunks, {"end": {"kind": answer.end, "phase": phase}}]


def with_headers(arguments: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {**arguments, "headers": {**headers, **arguments.get("headers", {})}}


def said(response: Any) -> str:
    return f"{response.status_code} {dict(response.headers)} {response.text}"


def sdk(name: str, base: str, key: str, headers: dict[str, str]) -> Any:
    if name == "anthropic":
        return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, default_headers=headers)
    return openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, default_headers=headers)


def async_sdk(name: str, base: str, key: str, headers: dict[str, str]) -> Any:
    if name == "anthropic":
        return anthropic.AsyncAnthropic(base_url=base, api_key=key, max_retries=0, default_headers=headers)
    return openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, default_headers=headers)


def method_of(api: Any, name: str) -> Any:
    for part in name.split("."):
        api = getattr(api, part)
    return api


def text_of(result: Any) -> str:
    return json.dumps(result.model_dump(mode="json", warnings=False), ensure_ascii=False)


def text_of_event(event: Any) -> str:
    """What an event adds to the text; of an event without any, nothing."""
    value = event.model_dump(mode="json", warnings=False)
    for delta in (value.get("delta"), *[choice.get("delta") for choice in value.get("choices") or ()]):
        if isinstance(delta, str):
            return delta
        if isinstance(delta, dict):
            calls = [call["function"]["arguments"] or "" for call in delta.get("tool_calls") or ()]
            names = ("text", "thinking", "partial_json", "content", "reasoning_content")
            return "".join([delta.get(name) or "" for name in names] + calls)
    return ""
