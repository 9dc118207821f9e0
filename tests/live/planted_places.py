"""Where it is planted: each place is an application in small, which asks and is answered.

A place is a generator. It yields `Ask`, which says what is sent and what the server answers, and is sent back what
the application sees of the answer as text. The same generator records, replays, and runs sync and async
(`live.planting`).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from live.planted import all_escaped
from live.planted_asks import (
    JSON,
    MODEL,
    SIGNATURE,
    SSE,
    Answer,
    Ask,
    Place,
    as_json,
    b64,
    called,
    chat_events,
    chunk,
    claude,
    claude_raw,
    claude_stream,
    completion,
    data_events,
    gpt,
    http,
    message,
    message_events,
    named_events,
    pieces,
    response_object,
    text_block,
    thinking_block,
    tokens,
    tool,
    tool_block,
    used,
    user,
)


def one(ask: Callable[[str], Ask]) -> Callable[[str], Place]:
    def place(text: str) -> Place:
        yield ask(text)

    return place


def url_with(text: str) -> str:
    return f"https://files.acme-corp.com/get/{quote(text, safe='')}?v=2"


def streamed_echo(text: str) -> Place:
    """The model says what it was told, in pieces; both are sent back, and said again."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    for _ in range(3):
        said = yield claude_stream(message_events(text_block(0, pieces(f"You said: {text}"))), messages=list(messages))
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": f"Again: {text}"}]


def learned_late(text: str) -> Place:
    """First the model says it, where nothing tells what it is to be; then it is asked for with all around it."""
    yield claude(as_json(message({"type": "text", "text": text})))
    yield claude(**user(text))


def redirected(text: str) -> Place:
    where = f"/next?of={quote(text, safe='')}"
    yield http("GET", "/start", Answer([b""], [("location", f"{{key}}{where}")], 302), follow_redirects=False)
    yield http("GET", where)


def refused(text: str) -> Place:
    """Nobody listens there; the exception may quote the URL."""
    yield Ask("raw", "GET", Answer([]), {}, f"/v1/{quote(text, safe='')}", "refused")


def logprobs_streamed(text: str) -> Ask:
    parts = tokens(text)
    events = [chunk({"content": part["token"]}, logprobs={"content": [part], "refusal": None}) for part in parts]
    return gpt(Answer(data_events(*events, chunk({}, finish="stop")), SSE), stream=True, logprobs=True)


def response_events(text: str) -> list[bytes]:
    where = {"item_id": "msg_68AbCdEf", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response_object(""), "status": "in_progress", "output": []}},
        *[{"type": "response.output_text.delta", **where, "delta": piece} for piece in pieces(text)],
        {"type": "response.output_text.done", **where, "text": text},
        {"type": "response.completed", "response": response_object(text)},
    ]
    return named_events(*[{**event, "sequence_number": n} for n, event in enumerate(events)])


def gemini(text: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}]}


def ndjson(text: str) -> list[bytes]:
    lines = [{"model": "llama", "message": {"role": "assistant", "content": each}, "done": False}
             for each in pieces(text)]  # fmt: skip
    return [json.dumps(line).encode() + b"\n" for line in [*lines, {"model": "llama", "done": True}]]


LONG = "The quick brown fox jumps over the lazy dog. " * 24_000
"""A little over 1 MB."""
NOISE = zlib.compress(LONG.encode()) * 20 + bytes(range(256)) * 300
"""Over 64 KiB, and no text."""

PLACES: dict[str, Callable[[str], Place]] = {
    # what is asked
    "prompt": one(lambda t: claude(**user(f"Use it: {t} and go on."))),
    "prompt, nothing around": one(lambda t: claude(**user(t))),
    "content block": one(lambda t: claude(**user([{"type": "text", "text": "a"}, {"type": "text", "text": t}]))),
    "system": one(lambda t: claude(system=f"You know: {t}")),
    "system block": one(lambda t: claude(system=[{"type": "text", "text": "a"}, {"type": "text", "text": t}])),
    "tool description": one(lambda t: claude(**tool(description=f"Calls the service. {t}"))),
    "tool schema": one(lambda t: claude(**tool(input_schema={
        "type": "object", "properties": {"q": {"type": "string", "description": t, "default": t}}}))),
    "tool arguments": one(lambda t: claude(**used({"deep": [{"er": [t]}]}, "done"))),
    "tool arguments, key": one(lambda t: claude(**used({t: 1}, "done"))),
    "tool result": one(lambda t: claude(**used({}, f"exit 0\n{t}\n"))),
    "tool result block": one(lambda t: claude(**used({}, [{"type": "text", "text": t}]))),
    "tool result, JSON": one(lambda t: claude(**used({}, json.dumps({"out": t})))),
    "tool result, JSON twice": one(lambda t: claude(**used({}, json.dumps({"out": json.dumps([t])})))),
    "search result": one(lambda t: claude(**user([{
        "type": "search_result", "source": "https://wiki.acme-corp.com/x", "title": t,
        "content": [{"type": "text", "text": t}]}]))),
    "document text": one(lambda t: claude(**user([{
        "type": "document", "title": "notes.txt", "context": t,
        "source": {"type": "text", "media_type": "text/plain", "data": f"Line one.\n{t}\n"}}]))),
    "document base64": one(lambda t: claude_raw(user([{
        "type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": b64(f"One.\n{t}\n")}}]))),
    "image URL": one(lambda t: claude(**user([{"type": "image", "source": {"type": "url", "url": url_with(t)}}]))),
    "thinking sent back": one(lambda t: claude(messages=[
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": f"So {t}.", "signature": SIGNATURE},
                                          {"type": "text", "text": "Yes."}]},
        {"role": "user", "content": "And?"}])),
    "stop sequence": one(lambda t: claude(stop_sequences=[t])),
    "metadata": one(lambda t: claude(metadata={"user_id": t})),
    "unknown field": one(lambda t: claude(extra_body={"x_gateway": {"note": t, "list": [[t]]}})),
    "MCP server": one(lambda t: claude(
        extra_headers={"anthropic-beta": "mcp-client-2025-11-20"},
        extra_body={"mcp_servers": [{"type": "url", "name": "m", "url": url_with(t), "authorization_token": t}]})),
    "chat system": one(lambda t: gpt(messages=[{"role": "system", "content": t}, {"role": "user", "content": "x"}])),
    "chat arguments": one(lambda t: gpt(**called(json.dumps({"note": t})))),
    "chat arguments, JSON twice": one(lambda t: gpt(**called(json.dumps({"note": json.dumps({"inner": t})})))),
    "chat arguments, key": one(lambda t: gpt(**called(json.dumps({t: [t]})))),
    "chat tool message": one(lambda t: gpt(**called("{}", f"stdout: {t}"))),
    "chat image URL": one(lambda t: gpt(**user([{
        "type": "image_url", "image_url": {"url": f"data:text/plain;base64,{b64(f'note {t}')}"}}]))),
    "chat metadata": one(lambda t: gpt(metadata={"note": t}, store=True)),
    "responses input": one(lambda t: Ask("openai", "responses.create", as_json(response_object("Noted.")),
                                         {"model": "gpt-5.5", "input": [{"role": "user", "content": t}],
                                          "instructions": t})),
    "URL path": one(lambda t: http("GET", f"/v1/things/{quote(t, safe='')}/show")),
    "URL query": one(lambda t: http("GET", f"/v1/things?page=2&q={quote(t, safe='')}&z=1")),
    "URL query, encoded twice": one(lambda t: http("GET", f"/v1/go?next={quote(url_with(t), safe='')}")),
    "URL userinfo": one(lambda t: Ask("raw", "POST", as_json(message()), {"json": {
        "model": MODEL, "max_tokens": 9, "messages": []}}, "/v1/messages", userinfo=f"svc:{quote(t, safe='')}@")),
    "form": one(lambda t: http("POST", "/v1/form", data={"a": "b", "note": t, "z": "1"})),
    "form, name": one(lambda t: http("POST", "/v1/form", data={t: "b"})),
    "multipart field": one(lambda t: http("POST", "/v1/files", data={"purpose": t}, files={"file": ("a.txt", b"x")})),
    "multipart file": one(lambda t: http("POST", "/v1/files", files={
        "file": ("a.txt", f"one\n{t}\n".encode(), "text/plain")})),
    "multipart JSON lines": one(lambda t: http("POST", "/v1/files", files={
        "file": ("batch.jsonl", (json.dumps({"custom_id": "1", "body": user(t)}) + "\n").encode() * 2,
                 "application/jsonl")})),
    "multipart file name": one(lambda t: http("POST", "/v1/files", files={
        "file": (f"{quote(t, safe='')}.txt", b"x", "text/plain")})),
    "multipart large": one(lambda t: http("POST", "/v1/files", files={
        "file": ("big.txt", f"{LONG}\n{t}\n".encode(), "text/plain")})),
    "text body": one(lambda t: http("POST", "/v1/text", content=f"a\n{t}\n".encode(),
                                    headers={"content-type": "text/plain"})),
    "JSON lines body": one(lambda t: http("POST", "/v1/lines", headers={"content-type": "application/x-ndjson"},
                                          content=b'{"a": 1}\n' + json.dumps({"note": t}).encode() + b"\n")),
    "binary body": one(lambda t: http("POST", "/v1/binary", content=b"\0\xff" + t.encode() + b"\0",
                                      headers={"content-type": "application/octet-stream"})),
    "gzip body": one(lambda t: http("POST", "/v1/zipped", content=gzip.compress(json.dumps({"n": t}).encode(), mtime=0),
                                    headers={"content-type": "application/json", "content-encoding": "gzip"})),
    "JSON list body": one(lambda t: http("POST", "/v1/list", json=[t, [t]])),
    "large prompt": one(lambda t: claude(**user(f"{LONG}\n{t}\n"))),
    "long prompt": one(lambda t: claude(**user(f"{LONG[:200_000]}\n{t}\n{LONG[:50_000]}"))),
    "credential header": one(lambda t: claude_raw({}, headers={"x-api-key": quote(t, safe=" =/+:.")})),
    "unknown header": one(lambda t: claude_raw({}, headers={"x-tenant-note": quote(t, safe=" =/+:.")})),
    "cookie": one(lambda t: claude_raw({}, headers={"cookie": f"session={quote(t, safe='')}; theme=dark"})),
    # what is answered
    "text": one(lambda t: claude(as_json(message({"type": "text", "text": f"It is {t}."})))),
    "text, ASCII, indented": one(lambda t: claude(as_json(message({"type": "text", "text": f"It is {t}."}),
                                                          indent=2, ensure_ascii=True))),
    "text, all escaped": one(lambda t: claude(Answer([json.dumps(message({"type": "text", "text": "@@"})).replace(
        "@@", all_escaped(t)).encode()]))),
    "text, gzip": one(lambda t: claude(Answer([gzip.compress(json.dumps(
        message({"type": "text", "text": t})).encode())],
                                              [*JSON, ("content-encoding", "gzip")]))),
    "tool input": one(lambda t: claude(as_json(message(
        {"type": "tool_use", "id": "toolu_01AbCdEfGh", "name": "note", "input": {"a": [t], "b": json.dumps({"c": t})}},
        stop_reason="tool_use")))),
    "streamed text": one(lambda t: claude_stream(message_events(text_block(0, pieces(f"It is {t}."))))),
    "streamed text, one piece": one(lambda t: claude_stream(message_events(text_block(0, [f"It is {t}."])))),
    "streamed text, gzip": one(lambda t: claude(Answer(
        [gzip.compress(b"".join(message_events(text_block(0, pieces(t)))))],
        [*SSE, ("content-encoding", "gzip")]), stream=True)),
    "streamed thinking": one(lambda t: claude_stream(message_events(
        thinking_block(0, pieces(f"They said {t}.")), text_block(1, ["Yes."])))),
    "streamed arguments": one(lambda t: claude_stream(message_events(
        tool_block(0, pieces(json.dumps({"note": t, "list": [t]}))), stop="tool_use"))),
    "streamed arguments, escaped": one(lambda t: claude_stream(message_events(
        tool_block(0, pieces(f'{{"note": "{all_escaped(t)}"}}')), stop="tool_use"))),
    "streamed arguments, JSON in a string": one(lambda t: claude_stream(message_events(
        tool_block(0, pieces(json.dumps({"note": json.dumps({"inner": t})}))), stop="tool_use"))),
    "streamed arguments, key": one(lambda t: claude_stream(message_events(
        tool_block(0, pieces(json.dumps({t: 1}))), stop="tool_use"))),
    "streamed, echoed, sent back": streamed_echo,
    "said before it is asked": learned_late,
    "stream cut inside": one(lambda t: claude(Answer(
        message_events(text_block(0, pieces(f"It is {t}")))[:-3], SSE, end="truncated"), stream=True)),
    "error event": one(lambda t: claude_stream(named_events(
        {"type": "message_start", "message": {**message(stop_reason=None), "content": []}},
        {"type": "error", "error": {"type": "api_error", "message": f"failed for {t}"}}))),
    "comment of a stream": one(lambda t: claude_stream(
        [f": trace {quote(t, safe=' :/=@')}\n\n".encode(), *message_events(text_block(0, ["Yes."]))])),
    "text event": one(lambda t: http("GET", "/v1/events", Answer(
        [b"data: " + line.encode() + b"\n\n" for line in f"log {t}".splitlines()], SSE))),
    "chat text": one(lambda t: gpt(as_json(completion(f"It is {t}.")))),
    "chat streamed": one(lambda t: gpt(Answer(chat_events(*[{"content": p} for p in pieces(f"It is {t}.")]), SSE),
                                       stream=True)),
    "chat streamed arguments": one(lambda t: gpt(Answer(chat_events(
        {"tool_calls": [{"index": 0, "id": "call_Ab", "type": "function",
                         "function": {"name": "note", "arguments": ""}}]},
        *[{"tool_calls": [{"index": 0, "function": {"arguments": p}}]} for p in pieces(json.dumps({"note": t}))],
    ), SSE), stream=True)),
    "chat streamed reasoning": one(lambda t: gpt(Answer(chat_events(
        *[{"reasoning_content": p} for p in pieces(f"They gave {t}.")], {"content": "Yes."}), SSE), stream=True)),
    "logprobs": one(lambda t: gpt(as_json(completion(t, logprobs={"content": tokens(t), "refusal": None})),
                                  logprobs=True, top_logprobs=1)),
    "logprobs, streamed": one(logprobs_streamed),
    "responses text": one(lambda t: Ask("openai", "responses.create", as_json(response_object(t)),
                                        {"model": "gpt-5.5", "input": "Hello"})),
    "responses streamed": one(lambda t: Ask("openai", "responses.create", Answer(response_events(f"It is {t}."), SSE),
                                            {"model": "gpt-5.5", "input": "Hello", "stream": True})),
    "Gemini streamed": one(lambda t: http("POST", "/v1beta/models/gemini-3-pro:streamGenerateContent", Answer(
        [f"data: {json.dumps(gemini(p))}\r\n\r\n".encode() for p in pieces(f"It is {t}.")], SSE),
        json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})),
    "Gemini array": one(lambda t: http("POST", "/v1beta/models/gemini-3-pro:streamGenerateContent",
                                       as_json([gemini(p) for p in pieces(f"It is {t}.")]),
                                       json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})),
    "JSON lines": one(lambda t: http("POST", "/api/chat", Answer(
        ndjson(f"It is {t}."), [("content-type", "application/x-ndjson")]), json={"model": "llama", **user("Hello")})),
    "error body": one(lambda t: claude(as_json(
        {"type": "error", "error": {"type": "authentication_error", "message": f"invalid: {t}"}}, 401))),
    "HTML page": one(lambda t: http("GET", "/v1/page", Answer(
        [f"<html><body><pre>{t}</pre></body></html>".encode()], [("content-type", "text/html")], 502))),
    "XML": one(lambda t: http("GET", "/v1/xml", Answer(
        [f"<?xml version='1.0'?><Error><Note>{t}</Note></Error>".encode()],
        [("content-type", "application/xml")], 403))),
    "plain text": one(lambda t: http("GET", "/v1/plain", Answer([f"{t}".encode()], [("content-type", "text/plain")]))),
    "large text": one(lambda t: http("GET", "/v1/large", Answer(
        [f"{LONG[:100_000]}\n{t}\n".encode()], [("content-type", "text/plain")]))),
    "binary answer": one(lambda t: http("GET", "/v1/binary", Answer(
        [b"\0\xff" + t.encode() + b"\0\xfe"], [("content-type", "application/octet-stream")]))),
    "large binary answer": one(lambda t: http("GET", "/v1/blob", Answer(
        [NOISE + b"\0" + t.encode() + b"\0\xfe"], [("content-type", "application/octet-stream")]))),
    "base64 in an answer": one(lambda t: http("POST", "/v1/images", as_json({"data": [{"b64_json": b64(f"<{t}>")}]}),
                                              json={"prompt": "x"})),
    "redirect": redirected,
    "response header": one(lambda t: http("GET", "/v1/h", as_json({}, headers=[
        ("x-note", quote(t, safe=" =/+:.")), ("warning", f'299 - "{quote(t, safe=" =/+:.")}"'),
        ("content-disposition", f'attachment; filename="{quote(t, safe=" =+:.")}"'),
        ("set-cookie", f"session={quote(t, safe='')}; HttpOnly")]))),
    "exception": refused,
}  # fmt: skip
