"""Edits of a recorded stream's bytes, of either format."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any

from convo_replay.exchange import Json
from convo_replay.providers import find
from mutating.drafts import Place, Stream, data, dispatched, kind, kind_line, spelled

HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"

# --- where it ends -----------------------------------------------------------------------------------

_LAST = ("message_stop", "[DONE]")


def _end(stream: Stream) -> int:
    """The place of the terminal event."""
    return next(iter(stream.of(*_LAST)), len(stream.events))


def cut(stream: Stream, after: str = "content_block_delta") -> Place | None:
    """Nothing comes after an event of that type."""
    end = _end(stream)
    at = stream.pick(at for at in stream.of(after) if at < end)
    if at is None:
        return None
    del stream.events[at + 1 :]
    return {}


def cut_before_finish(stream: Stream) -> Place | None:
    """A chat stream ends before a chunk says why, and after one that says something."""
    end = next((at for at in stream.of("chunk") if _finishes(stream.events[at])), 0)
    at = stream.pick(at for at in stream.of("chunk") if at < end and data(stream.events[at]).get("choices"))
    if at is None:
        return None
    del stream.events[at + 1 :]
    return {}


def cut_inside(stream: Stream, within: str = "content_block_delta") -> Place | None:
    """The stream ends in the middle of an event."""
    at = stream.pick(stream.of(within))
    if at is None:
        return None
    stream.events[at] = stream.events[at].rstrip()[: len(stream.events[at]) // 2]
    del stream.events[at + 1 :]
    return {}


def cut_blank_line(stream: Stream) -> Place | None:
    """The last event came without its blank line, so that a client drops it."""
    at = _end(stream)
    if at >= len(stream.events):
        return None
    del stream.events[at + 1 :]
    stream.events[at] = stream.events[at].rstrip()
    return {}


def drop_end(stream: Stream) -> Place | None:
    """The terminal event is missing."""
    at = _end(stream)
    if at >= len(stream.events):
        return None
    del stream.events[at:]
    return {}


def drop(stream: Stream, what: str) -> Place | None:
    """An event of that type is missing; the place is what follows it."""
    end = _end(stream)
    at = stream.pick(at for at in stream.of(what) if at < end)
    if at is None:
        return None
    stream.events.pop(at)
    return {"i": _next(stream, at)}


def _next(stream: Stream, at: int) -> int:
    """The index of the next dispatched event that is no ping."""
    while at < len(stream.events) and (kind(stream.events[at]) == "ping" or not dispatched(stream.events[at])):
        at += 1
    return stream.number(at)


def repeat(stream: Stream, what: str, again: str = "") -> Place | None:
    """An event comes twice: the second one behind it, or behind the last of type `again`."""
    at = stream.pick(stream.of(what))
    if at is None or (again and not stream.of(again)):
        return None
    place = (stream.of(again)[-1] if again else at) + 1
    stream.events.insert(place, stream.events[at])
    return {"i": stream.number(place)}


def repeat_all(stream: Stream) -> Place | None:
    """The whole stream comes twice."""
    if _end(stream) >= len(stream.events):
        return None
    count = stream.number(len(stream.events))
    stream.events.extend(list(stream.events))
    return {"i": count}


def append(stream: Stream, value: Any, name: str = "") -> Place | None:
    """One event more, after the end."""
    if _end(stream) >= len(stream.events):
        return None
    stream.insert(len(stream.events), value, name)
    return {"i": stream.number(len(stream.events) - 1)}


def move(stream: Stream, what: str, before: str) -> Place | None:
    """An event comes too early: before the first of another type. The place is where it then stands."""
    there, back = stream.of(what), stream.of(before)
    if not there or not back or there[-1] < back[0]:
        return None
    raw = stream.events.pop(there[-1])
    stream.events.insert(back[0], raw)
    return {"i": stream.number(back[0]), "j": stream.number(back[0]) + 1}


def move_start_down(stream: Stream) -> Place | None:
    """`message_start` comes second."""
    starts = stream.of("message_start")
    blocks = stream.of("content_block_start")
    if not starts or not blocks:
        return None
    raw = stream.events.pop(starts[0])
    stream.events.insert(blocks[0], raw)
    return {"i": stream.number(blocks[0] - 1)}


# --- blocks and deltas -------------------------------------------------------------------------------


def _deltas(stream: Stream, type: str = "") -> list[int]:
    return [at for at in stream.of("content_block_delta") if type in ("", data(stream.events[at])["delta"].get("type"))]


def renumber(stream: Stream, what: str, by: int = 1, to: Any = None) -> Place | None:
    """The index of an event, or of a whole block, is another one."""
    at = stream.pick(stream.of("content_block_start" if what == "block" else what))
    if at is None:
        return None
    index = data(stream.events[at]).get("index")
    if not isinstance(index, int):
        return None
    for place in range(at, len(stream.events)) if what == "block" else [at]:
        value = data(stream.events[place])
        if value.get("index") == index and value.get("type", "").startswith("content_block"):
            stream.change(place, index=index + by if to is None else to)
    return {"i": stream.number(at)}


def interleave(stream: Stream) -> Place | None:
    """A block begins before the one before it is closed."""
    starts, stops = stream.of("content_block_start"), stream.of("content_block_stop")
    if len(starts) < 2 or len(stops) < 2:
        return None
    raw = stream.events.pop(starts[1])
    stream.events.insert(stops[0], raw)
    return {"i": stream.number(stops[0])}


def late_delta(stream: Stream) -> Place | None:
    """A delta comes after the stop of its block."""
    at = stream.pick(stream.of("content_block_delta"))
    if at is None:
        return None
    index = data(stream.events[at])["index"]
    stop = next(place for place in stream.of("content_block_stop") if data(stream.events[place])["index"] == index)
    raw = stream.events[at]
    stream.events.insert(stop + 1, raw)
    return {"i": stream.number(stop + 1)}


def delta_after_all(stream: Stream) -> Place | None:
    """A delta comes after `message_delta`."""
    at, ends = stream.pick(stream.of("content_block_delta")), stream.of("message_delta")
    if at is None or not ends:
        return None
    stream.events.insert(ends[-1] + 1, stream.events[at])
    return {"i": stream.number(ends[-1] + 1)}


def thinking_after_signature(stream: Stream) -> Place | None:
    """Thinking goes on after its signature."""
    at, more = stream.pick(_deltas(stream, "signature_delta")), _deltas(stream, "thinking_delta")
    if at is None or not more:
        return None
    stream.events.insert(at + 1, stream.events[more[0]])
    stream.change(at + 1, index=data(stream.events[at])["index"])
    return {"i": stream.number(at + 1)}


def drop_signature(stream: Stream) -> Place | None:
    """Thinking without its signature."""
    at = stream.pick(_deltas(stream, "signature_delta"))
    if at is None:
        return None
    stream.events.pop(at)
    return {"i": _next(stream, at)}


def redelta(stream: Stream, delta: dict[str, Any], block: str = "text") -> Place | None:
    """A delta of another type in a block of that type."""
    site = stream.pick(_in_blocks(stream, block))
    if site is None:
        return None
    stream.change(site, delta=copy.deepcopy(delta))
    return {"i": stream.number(site)}


def _in_blocks(stream: Stream, block: str) -> list[int]:
    """Places of the deltas of blocks of a type."""
    open_index, found = None, []
    for at, raw in enumerate(stream.events):
        value = data(raw)
        if value.get("type") == "content_block_start":
            open_index = value["index"] if value["content_block"].get("type") == block else None
        elif value.get("type") == "content_block_delta" and value["index"] == open_index:
            found.append(at)
    return found


def add_block(stream: Stream, block: dict[str, Any], deltas: list[Any], wrong: int = 0) -> Place | None:
    """A further block at the end of the message; the place is that of one of its deltas, from 0."""
    ends, starts = stream.of("message_delta"), stream.of("content_block_start")
    if not ends:
        return None
    index = 1 + max((data(stream.events[at])["index"] for at in starts), default=-1)
    values: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": index, "content_block": copy.deepcopy(block)},
        *({"type": "content_block_delta", "index": index, "delta": copy.deepcopy(delta)} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
    for offset, value in enumerate(values):
        stream.insert(ends[0] + offset, value, value["type"])
    return {"i": stream.number(ends[0] + 1 + wrong)}


def retype(stream: Stream, what: str, type: str) -> Place | None:
    """An event, a block or a delta of a type that nobody knows yet."""
    if what == "event":
        ends = stream.of("message_delta")
        if not ends:
            return None
        stream.insert(ends[0], {"type": type, "note": 1}, type)
        return {"i": stream.number(ends[0])}
    if what == "block":
        return add_block(stream, {"type": type, "note": 1}, [], -1)
    return add_block(stream, {"type": "text", "text": ""}, [{"type": type, "note": 1}])


# --- tool input --------------------------------------------------------------------------------------


def _input(stream: Stream) -> tuple[list[int], int, int] | None:
    """Places of the fragments of a tool's input, its start and its stop; without eager streaming."""
    body = stream.exchange.request.json or {}
    if any(isinstance(tool, dict) and tool.get("eager_input_streaming") for tool in body.get("tools") or ()):
        return None
    found = []
    for start in stream.of("content_block_start"):
        opened = data(stream.events[start])
        index = opened["index"]
        mine = [at for at in _deltas(stream, "input_json_delta") if data(stream.events[at])["index"] == index]
        mine = [at for at in mine if data(stream.events[at])["delta"].get("partial_json")]
        stops = [at for at in stream.of("content_block_stop") if data(stream.events[at])["index"] == index]
        if mine and stops and opened["content_block"].get("type") == "tool_use":
            found.append((mine, start, stops[0]))
    return stream.pick(found)


def break_input(stream: Stream, how: str) -> Place | None:
    """A tool's joined input is no JSON: a fragment `lost`, `doubled`, a `brace` too many, or `cut`."""
    site = _input(stream)
    if site is None:
        return None
    mine, start, stop = site
    if how == "lost":
        gone = mine[0]
        stream.events.pop(gone)
        stop -= 1
    elif how == "doubled":
        # One that leaves no JSON when it comes twice.
        twice = next((at for at in mine if not _is_json(_doubled(stream, mine, at))), None)
        if twice is None:
            return None
        stream.events.insert(twice, stream.events[twice])
        stop += 1
    elif how == "brace":
        stream.change(mine[-1], delta={"type": "input_json_delta", "partial_json": _part(stream, mine[-1]) + "}"})
    else:
        stream.change(
            mine[-1], delta={"type": "input_json_delta", "partial_json": _part(stream, mine[-1]).rstrip()[:-1]}
        )
    return {"i": stream.number(start), "k": stream.number(stop)}


def _part(stream: Stream, at: int) -> str:
    return str(data(stream.events[at])["delta"]["partial_json"])


def _doubled(stream: Stream, mine: list[int], twice: int) -> str:
    return "".join(_part(stream, at) * (2 if at == twice else 1) for at in mine)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def refragment(stream: Stream) -> Place | None:
    """Legal: the fragments of a tool's input cut elsewhere."""
    site = _input(stream)
    if site is None:
        return None
    mine = site[0]
    text = _part(stream, mine[-1])
    value = data(stream.events[mine[-1]])
    halves = [
        {**value, "delta": {"type": "input_json_delta", "partial_json": part}} for part in (text[:1], "", text[1:])
    ]
    stream.events[mine[-1] : mine[-1] + 1] = [spelled(half, kind_line(stream.events[mine[-1]])) for half in halves]
    return {}


# --- one event's data --------------------------------------------------------------------------------


def rewrite(stream: Stream, what: str, text: str = "", name: str | None = None, bad: bool = False) -> Place | None:
    """An event's data is that text; or its bytes are no UTF-8."""
    at = stream.pick(stream.of(what))
    if at is None:
        return None
    if bad:
        raw = stream.events[at]
        middle = raw.rindex(b"}")
        stream.events[at] = raw[:middle] + b',"x":"\xff\xfe"' + raw[middle:]
        if data(raw).get("delta", {}).get("text"):
            text_at = raw.rindex(b'"text":"') + 8 if b'"text":"' in raw else middle
            stream.events[at] = raw[:text_at] + b"\xff" + raw[text_at:]
    else:
        stream.write(at, text, name)
    return {"i": stream.number(at)}


def break_json(stream: Stream, what: str) -> Place | None:
    """An event's JSON is cut."""
    at = stream.pick(stream.of(what))
    if at is None:
        return None
    text = json.dumps(data(stream.events[at]))
    stream.write(at, text[: len(text) // 2])
    return {"i": stream.number(at)}


def set_key(stream: Stream, what: str, path: list[Any], value: Any = None, drop: bool = False) -> Place | None:
    """Another value deep in an event's data."""
    for at in stream.of(what) if stream.first else reversed(stream.of(what)):
        whole = copy.deepcopy(data(stream.events[at]))
        if "error" in whole:
            continue
        inner: Any = whole
        for step in path[:-1]:
            inner = inner.get(step) if isinstance(inner, dict) else inner[step] if inner and len(inner) > step else None
        if not isinstance(inner, dict) or (drop and path[-1] not in inner):
            continue
        if drop:
            del inner[path[-1]]
        else:
            inner[path[-1]] = copy.deepcopy(value)
        stream.write(at, whole)
        return {"i": stream.number(at)}
    return None


def insert(stream: Stream, value: Any, name: str = "", before: str = "", cuts: bool = False) -> Place | None:
    """An event more: before one of a type, or at the very beginning; `cuts`: nothing comes after it."""
    at = stream.pick(stream.of(before)) if before else 0
    if at is None:
        return None
    stream.insert(at, value, name)
    if cuts:
        del stream.events[at + 1 :]
    return {"i": stream.number(at)}


def insert_raw(stream: Stream, raw: str, before: str = "", cuts: bool = False) -> Place | None:
    """Bytes of any kind before an event of a type."""
    at = stream.pick(stream.of(before)) if before else 0
    if at is None:
        return None
    stream.events.insert(at, raw.encode())
    if cuts:
        del stream.events[at + 1 :]
    return {"i": stream.number(at)}


def rename(stream: Stream, what: str, name: str) -> Place | None:
    """An event's `event:` line says something else, or is missing."""
    at = stream.pick(stream.of(what))
    if at is None:
        return None
    stream.write(at, data(stream.events[at]), name)
    return {"i": stream.number(at)}


def unname_all(stream: Stream) -> Place | None:
    """No event has an `event:` line."""
    if not any(kind_line(raw) for raw in stream.events):
        return None
    stream.events = [spelled(data(raw)) if dispatched(raw) else raw for raw in stream.events]
    return {"i": 0}


# --- the whole body ----------------------------------------------------------------------------------


def replace_body(stream: Stream, body: str, type: str = "", asked: bool = True) -> Place | None:
    """Something else than a stream: `html`, `empty`, or the message as JSON."""
    provider = find(stream.exchange.request)
    if asked and (stream.exchange.request.json or {}).get("stream") is not True:
        return None
    if body == "message":
        assert provider is not None
        message = provider.reply(stream.exchange).message
        stream.body = json.dumps(dict(message)).encode()
    else:
        stream.body = {"html": HTML, "empty": b"", "list": b"[]"}[body]
    stream.type = type
    return {}


def squeeze(stream: Stream, how: str) -> Place | None:
    """A gzip body that cannot be unpacked: kept as it came, or what could be read of it."""
    packed = gzip.compress(b"".join(stream.events), mtime=0)
    if how == "garbled":
        stream.body = packed[:20] + bytes(255 - byte for byte in packed[20:60]) + packed[60:]
    elif how == "broken-off":
        stream.end = "undecodable"
        del stream.events[max(len(stream.events) // 2, 1) :]
    else:
        text = b"".join(stream.events)
        end = stream.events[_end(stream) if _end(stream) < len(stream.events) else -1]
        stream.body = text[: max(text.index(end) - 40, 1)]
    return {}


def mark(stream: Stream) -> Place | None:
    """A byte order mark at the beginning."""
    stream.events[0] = b"\xef\xbb\xbf" + stream.events[0]
    return {}


# --- legal ways to say the same ----------------------------------------------------------------------


def ping(stream: Stream, before: str = "", many: bool = False) -> Place | None:
    """Legal: one ping more, or one before each event after the first."""
    if many:
        starts = stream.of("message_start")
        if not starts:
            return None
        stream.events = [
            part
            for at, raw in enumerate(stream.events)
            for part in ((spelled({"type": "ping"}, "ping"), raw) if at > starts[0] else (raw,))
        ]
        return {}
    return insert(stream, {"type": "ping"}, "ping", before)


def comment(stream: Stream, before: str = "") -> Place | None:
    """Legal: a comment."""
    return insert_raw(stream, ": keep-alive\n\n", before)


def crlf(stream: Stream) -> Place | None:
    """Legal: CRLF at the end of each line."""
    stream.events = [raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for raw in stream.events]
    return {}


def rechunk(stream: Stream, size: int = 7) -> Place | None:
    """Legal: other chunks."""
    stream.chunked = size
    return {}


def other_type(stream: Stream, type: str = "text/event-stream; charset=utf-8") -> Place | None:
    """Legal: another spelling of the content type."""
    stream.type = type
    return {}


def several_lines(stream: Stream) -> Place | None:
    """Legal: an event's data on several lines."""
    at = stream.pick(at for at, raw in enumerate(stream.events) if dispatched(raw) and data(raw))
    if at is None:
        return None
    lines = json.dumps(data(stream.events[at]), ensure_ascii=False, indent=1).split("\n")
    name = kind_line(stream.events[at])
    stream.events[at] = (
        (f"event: {name}\n" if name else "") + "".join(f"data: {line}\n" for line in lines) + "\n"
    ).encode()
    return {}


def blank_lines(stream: Stream) -> Place | None:
    """Legal: blank lines between the events."""
    stream.events = [raw + b"\n" for raw in stream.events]
    return {}


def split_text(stream: Stream) -> Place | None:
    """Legal: a delta's text in two deltas."""
    at = stream.pick(_deltas(stream, "text_delta"))
    if at is None:
        return None
    value, text = data(stream.events[at]), data(stream.events[at])["delta"]["text"]
    halves = [
        {**value, "delta": {"type": "text_delta", "text": part}}
        for part in (text[: len(text) // 2], text[len(text) // 2 :])
    ]
    stream.events[at : at + 1] = [spelled(half, kind_line(stream.events[at])) for half in halves]
    return {}


def count_twice(stream: Stream) -> Place | None:
    """Legal: usage grows in a second `message_delta`."""
    at = stream.pick(stream.of("message_delta"))
    if at is None:
        return None
    value = data(stream.events[at])
    early = {**value, "delta": {"stop_reason": None, "stop_sequence": None}, "usage": {"output_tokens": 1}}
    stream.insert(at, early, "message_delta")
    return {}


def finish_early(stream: Stream, reason: str = "refusal") -> Place | None:
    """Legal: the message ends with another reason."""
    at = stream.pick(stream.of("message_delta"))
    if at is None:
        return None
    delta = {**data(stream.events[at])["delta"], "stop_reason": reason}
    if reason == "refusal":
        delta["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    stream.change(at, delta=delta)
    return {}


def cut_by_max_tokens(stream: Stream) -> Place | None:
    """Legal: a tool's input is cut in the middle, because `max_tokens` was reached."""
    stream.first = False
    if break_input(stream, "cut") is None:
        return None
    return finish_early(stream, "max_tokens")


def eager(stream: Stream, how: str) -> Place | None:
    """Legal: a tool's input is no JSON, as eager streaming allows."""
    if break_input(stream, how) is None:
        return None
    body = copy.deepcopy(stream.exchange.request.json)
    for tool in body.get("tools", []):
        tool["eager_input_streaming"] = True
    stream.exchange = _with_body(stream, Json(body))
    return {}


def _with_body(stream: Stream, body: Json) -> Any:
    from dataclasses import replace

    return replace(stream.exchange, request=replace(stream.exchange.request, body=body))


# --- chat completions --------------------------------------------------------------------------------


def _calls(stream: Stream) -> list[int]:
    """Places of the chunks with a first fragment of a tool call."""
    found = []
    for at in stream.of("chunk"):
        for choice in data(stream.events[at]).get("choices") or ():
            if any(
                (call.get("function") or {}).get("name") for call in (choice.get("delta") or {}).get("tool_calls") or ()
            ):
                found.append(at)
    return found


def change_call(stream: Stream, drop: str, inner: bool = False) -> Place | None:
    """The first fragment of a tool call lacks a key; `inner`: of its function."""
    sites = []
    for at in _calls(stream):
        value = copy.deepcopy(data(stream.events[at]))
        for call in value["choices"][0]["delta"]["tool_calls"]:
            holder = call["function"] if inner else call
            if holder.get(drop) not in (None, ""):
                del holder[drop]
                sites.append((at, value))
                break
    site = stream.pick(sites)
    if site is None:
        return None
    stream.write(*site)
    return {"i": stream.number(site[0])}


def break_arguments(stream: Stream) -> Place | None:
    """A brace too many at the end of a call's joined arguments."""
    last: dict[int, int] = {}
    for at in stream.of("chunk"):
        choices = data(stream.events[at]).get("choices") or [{}]
        for call in (choices[0].get("delta") or {}).get("tool_calls") or []:
            if (call.get("function") or {}).get("arguments") and isinstance(call.get("index"), int):
                last[call["index"]] = at
    index = stream.pick(last)
    if index is None:
        return None
    value = copy.deepcopy(data(stream.events[last[index]]))
    for call in value["choices"][0]["delta"]["tool_calls"]:
        if call.get("index") == index:
            call["function"]["arguments"] += "}"
    stream.write(last[index], value)
    return {"i": stream.number(last[index])}


def _finishes(raw: bytes) -> bool:
    return any(choice.get("finish_reason") for choice in data(raw).get("choices") or ())


def drop_finish(stream: Stream) -> Place | None:
    """No chunk says why the answer ended."""
    places = [at for at in stream.of("chunk") if _finishes(stream.events[at])]
    if not places or _end(stream) >= len(stream.events):
        return None
    for at in places:
        value = copy.deepcopy(data(stream.events[at]))
        for choice in value["choices"]:
            choice["finish_reason"] = None
        stream.write(at, value)
    return {"i": stream.number(_end(stream))}


def content_after_finish(stream: Stream) -> Place | None:
    """Content comes after the chunk that says why the answer ended."""
    places = [at for at in stream.of("chunk") if _finishes(stream.events[at])]
    texts = [at for at in stream.of("chunk") if _text(stream.events[at])]
    if len(places) != 1 or not texts:
        return None
    stream.events.insert(places[0] + 1, stream.events[texts[0]])
    return {"i": stream.number(places[0] + 1)}


def _text(raw: bytes) -> str:
    choices = data(raw).get("choices") or [{}]
    text = (choices[0].get("delta") or {}).get("content")
    return text if isinstance(text, str) and not choices[0].get("finish_reason") else ""


def drop_roles(stream: Stream) -> Place | None:
    """No chunk says the role."""
    changed = False
    for at in stream.of("chunk"):
        value = copy.deepcopy(data(stream.events[at]))
        for choice in value.get("choices") or ():
            changed = bool((choice.get("delta") or {}).pop("role", None)) or changed
        stream.write(at, value)
    return {"i": 0} if changed else None


def null_choices(stream: Stream) -> Place | None:
    """`choices` is null in a chunk."""
    at = stream.pick(stream.of("chunk"))
    if at is None:
        return None
    whole = copy.deepcopy(data(stream.events[at]))
    if any(choice.get("finish_reason") for choice in whole.get("choices") or ()):
        return None
    whole["choices"] = None
    stream.write(at, whole)
    return {"i": stream.number(at)}


def empty_choices_first(stream: Stream) -> Place | None:
    """Legal: a first chunk without choices, as Azure sends it."""
    chunks = stream.of("chunk")
    if not chunks:
        return None
    value = {**data(stream.events[chunks[0]]), "choices": [], "prompt_filter_results": []}
    value.pop("usage", None)
    stream.insert(chunks[0], value)
    return {}


def other_id(stream: Stream) -> Place | None:
    """A chunk has the id of another completion."""
    chunks = stream.of("chunk")
    if len(chunks) < 3 or not data(stream.events[chunks[0]]).get("id"):
        return None
    at = chunks[len(chunks) // 2]
    stream.change(at, id="chatcmpl-AAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    return {"i": stream.number(at)}


def drop_usage(stream: Stream) -> Place | None:
    """The usage that was asked for does not come."""
    asked = (stream.exchange.request.json or {}).get("stream_options") or {}
    chunks = [at for at in stream.of("chunk") if data(stream.events[at]).get("usage")]
    if not asked.get("include_usage") or not chunks or _end(stream) >= len(stream.events):
        return None
    for at in reversed(chunks):
        if data(stream.events[at]).get("choices"):
            stream.change(at, usage=None)
        else:
            stream.events.pop(at)
    return {"i": stream.number(_end(stream))}


def split_content(stream: Stream) -> Place | None:
    """Legal: a chunk's text in two chunks."""
    at = stream.pick(at for at in stream.of("chunk") if len(_text(stream.events[at])) > 1)
    if at is None:
        return None
    text, halves = _text(stream.events[at]), []
    for part in (text[:1], text[1:]):
        value = copy.deepcopy(data(stream.events[at]))
        value["choices"][0]["delta"]["content"] = part
        halves.append(spelled(value))
    stream.events[at : at + 1] = halves
    return {}
