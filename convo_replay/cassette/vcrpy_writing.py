"""Exchanges → a cassette that vcrpy loads, as it writes them itself but for the layout (design.md §2.4, `convert`).

Bodies are decoded text in literal blocks, so that a stream reads line by line; what is no text is `!!binary`. What
vcrpy has no place for is left out, and `lost` says what that is.

Source: vcrpy 9.4, `serialize.py`, `stubs/`.
"""

from __future__ import annotations

import http
from collections.abc import Sequence
from itertools import count

from ..exchange import Binary, Body, Exchange, Head, Headers, Json, Part, Parts, Request, Text
from ..providers import find
from . import response_bodies, yaml_writer
from .model import Cassette, text
from .yaml_writer import Tall


def dump(cassette: Cassette) -> bytes:
    """The YAML of a cassette of vcrpy's with the exchanges that it can hold."""
    held = [
        _interaction(exchange, exchange.head)
        for exchange in cassette.exchanges
        if exchange.head is not None and holds(exchange)
    ]
    return "".join(["interactions:\n" if held else "interactions: []\n", *held, "version: 1\n"]).encode()


def holds(exchange: Exchange) -> bool:
    """Whether vcrpy has a place for the exchange: not where no answer came, nor for what only a fault plays."""
    return exchange.head is not None and not exchange.after


def lost(cassette: Cassette) -> list[str]:
    """What `dump` leaves out, a line each; what concerns all exchanges in one line with their number."""
    lines: list[str] = []
    for index, exchange in enumerate(cassette.exchanges):
        name, end, request = f"exchanges[{index}]", exchange.end, exchange.request
        if exchange.head is None:
            lines.append(f"{name}: no answer came ({end.kind}), left out")
        elif exchange.after:
            lines.append(f"{name}: played under the fault {exchange.after} alone, left out")
        elif end.kind != "complete":
            lines.append(f"{name}: the answer broke off ({end.kind}); it will end after its {len(exchange.body)} bytes")
        if holds(exchange) and request.body is not None and request_bytes(request.body) is None:
            lines.append(f"{name}: the body of the request, of which the hash alone is known")
    timed = sum(any(step.at for step in exchange.steps) for exchange in cassette.exchanges)
    owned = sum(bool(exchange.test) for exchange in cassette.exchanges)
    lines += [f"times of {timed} exchange(s)"] if timed else []
    lines += [f"the tests that {owned} exchange(s) belong to"] if owned else []
    keys = {
        "clients": cassette.clients,
        "resendable": not cassette.resendable,
        "outcome": any(exchange.outcome for exchange in cassette.exchanges),
    }
    if any(keys.values()):
        lines.append(f"keys: {', '.join(key for key, there in keys.items() if there)}")
    return lines


def _interaction(exchange: Exchange, head: Head) -> str:
    request = exchange.request
    headers = _lists(request.headers)
    media = headers.get("content-type", [""])[0]
    if not media and isinstance(request.body, (Json, Parts)):
        # Redaction keeps it of other bodies only; vcrpy goes by it where it compares them.
        media = "application/json"
        if isinstance(request.body, Parts):
            media = f"multipart/form-data; boundary={_boundary(request.body.parts)}"
        headers["content-type"] = [media]
    sent = _none(request) if request.body is None else request_bytes(request.body, media, layout(exchange))
    asked = _body("body", sent) + yaml_writer.render(
        {"headers": Tall(headers), "method": text(request.method), "uri": text(request.url)}
    )
    status = {"code": head.status, "message": text(head.reason) or _phrase(head.status)}
    answered = f"body:\n{_indented(_body('string', exchange.body), 2)}" + yaml_writer.render(
        {"headers": Tall(_lists(head.headers)), **({"http_version": head.http} if head.http else {}), "status": status}
    )
    recorded = yaml_writer.render({"recorded_at": text(exchange.recorded)}) if exchange.recorded else ""
    parts = f"request:\n{_indented(asked, 2)}response:\n{_indented(answered, 2)}{recorded}"
    return "- " + _indented(parts, 2)[2:]


def _none(request: Request) -> bytes | None:
    """No body as vcrpy has it, and compares it: empty for httpx, over which SDKs go, and nothing for other clients."""
    return b"" if find(request) else None


def _indented(lines: str, by: int) -> str:
    """The lines further in, those of a literal block with them; empty ones stay empty."""
    return "\n".join([" " * by + line if line else "" for line in lines.split("\n")])


def _lists(headers: Headers) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for name, value in headers:
        made.setdefault(text(name).lower(), []).append(text(value))
    return made


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _body(key: str, data: bytes | None) -> str:
    if data is None:
        return f"{key}: null\n"
    try:
        written = data.decode()
    except UnicodeDecodeError:
        base64 = response_bodies.wrapped(data).rstrip("\n")
        return f"{key}: !!binary |\n{_indented(base64, 2)}\n"
    # One line in a block, too: in quotes, each quote of a JSON body would be escaped.
    first, _, rest = yaml_writer.render({key: f"{written}\n"}).partition("\n")
    if "\n" not in written and first.startswith(f"{key}: |"):
        return f"{first}-\n{rest}"
    return yaml_writer.render({key: written})


def layout(exchange: Exchange) -> str:
    """The word for the layout of a JSON request, where the exchange was read with one."""
    kept = (exchange.extra or {}).get("request")
    word = kept.get("format") if isinstance(kept, dict) else None
    return word if word in response_bodies.FORMATS else ""


def request_bytes(body: Body, content_type: str = "", layout: str = "") -> bytes | None:
    """The bytes that a request's body stands for; `None` where there is none, or where only its hash is known.

    Args:
        content_type: names the boundary of a multipart body; without it there is one that fits.
        layout: of a JSON body, one of `response_bodies.FORMATS`; `""` is compact, as the clients send it.
    """
    if isinstance(body, Json):
        try:
            return response_bodies.json_bytes(body.value, layout)
        except UnicodeEncodeError:  # a lone surrogate is an escape
            return response_bodies.json_bytes(body.value, "compact+ascii")
    if isinstance(body, Text):
        return body.text.encode()
    if isinstance(body, Binary):
        return body.data
    if isinstance(body, Parts):
        named = content_type.partition("boundary=")[2].partition(";")[0].strip().strip('"')
        return _multipart(body.parts, named or _boundary(body.parts))
    return None


def _multipart(parts: Sequence[Part], boundary: str) -> bytes | None:
    made = bytearray()
    for part in parts:
        data = request_bytes(part.body)
        if data is None:
            return None
        filename = "" if part.filename is None else f'; filename="{_quoted(part.filename)}"'
        media = f"\r\nContent-Type: {text(part.type)}" if part.type else ""
        made += f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"{filename}{media}'.encode()
        made += b"\r\n\r\n" + data + b"\r\n"
    return bytes(made) + f"--{boundary}--\r\n".encode()


def _quoted(name: str) -> str:
    """As HTML forms write it. What was read from a request needs none of it."""
    for char, code in (("\r", "%0D"), ("\n", "%0A"), ('"', "%22")):
        name = name.replace(char, code)
    return text(name)


def _boundary(parts: Sequence[Part]) -> str:
    """One that is in none of the parts; always the same for the same parts."""
    whole = b"\n".join([request_bytes(part.body) or b"" for part in parts])
    return next(name for number in count() if (name := f"convo-replay-{number}").encode() not in whole)
