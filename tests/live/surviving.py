"""The search for what survived: every file is decoded in every way, and parts of a secret are looked for in it."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml


def texts_of(folder: Path) -> Iterator[str]:
    """Every file below as text, and what it says once it is parsed: strings, JSON in strings, joined streams."""
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        yield str(file.relative_to(folder))
        data = file.read_bytes()
        text = data.decode("utf-8", "replace")
        yield text
        yield data.decode("latin-1")
        if file.suffix in (".yaml", ".yml"):
            leaves: list[str] = []
            joined: dict[str, list[str]] = {}
            for value in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                walk(value, "", leaves, joined)
            yield "\n".join(leaves)
            yield "\n".join("".join(parts) for parts in joined.values())
        elif file.suffix == ".bin":
            yield unquote(text)


def walk(value: Any, path: str, leaves: list[str], joined: dict[str, list[str]]) -> None:
    if isinstance(value, dict):
        place = "/".join(str(value[name]) for name in ("index", "output_index", "item_id") if name in value)
        for key, item in value.items():
            leaves.append(str(key))
            walk(item, f"{path}.{key}[{place}]", leaves, joined)
    elif isinstance(value, list):
        if value and all(isinstance(item, int) for item in value):
            leaves.append(",".join(map(str, value)))
        for item in value:
            walk(item, f"{path}[]", leaves, joined)
    elif isinstance(value, bytes):
        leaves.append(value.decode("latin-1"))
    elif isinstance(value, str):
        leaves.append(value)
        joined.setdefault(path, []).append(value)
        lines = value.splitlines() if path.endswith((".sse", ".text")) or ".sse[" in path or ".text[" in path else []
        for line in lines:
            start = min((at for at in (line.find("{"), line.find("[")) if at >= 0), default=-1)
            if start >= 0:
                try:
                    inner = json.loads(line[start:])
                except ValueError:
                    continue
                walk(inner, path, leaves, joined)
        if not lines and value[:1] in "{[":
            with contextlib.suppress(ValueError):
                walk(json.loads(value), path, leaves, joined)


ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def unescaped(text: str) -> str:
    made = ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else PLAIN.get(m[2], m[2]), text)
    return made.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


WINDOW = 12
BLANK = re.compile(r"\s+|\\n|\\r")
BYTE = re.compile(r"\\+x|0x|[, ]")


def haystack(folder: Path) -> dict[str, str]:
    """By how it was decoded: everything that the files below say."""
    plain = "\n\0\n".join(texts_of(folder))
    once = unescaped(plain)
    twice = unescaped(once)
    percent = unquote(plain)
    decoded = {
        "": plain,
        "JSON once": once,
        "JSON twice": twice,
        "JSON thrice": unescaped(twice),
        "percent": percent,
        "form": unquote(plain.replace("+", " ")),
        "percent twice": unquote(percent),
        "percent and JSON": unquote(twice),
        "squeezed": BLANK.sub("", plain),
        "bytes": BYTE.sub("", plain),
        "in base64": unescaped(decoded_runs(twice)),
    }
    return {text: how for how, text in reversed(decoded.items())}


def decoded_runs(text: str) -> str:
    """What the base64 in it says."""
    made = []
    for run in set(re.findall(r"[A-Za-z0-9+/_-]{16,}", text)):
        data = base64.b64decode(run.replace("-", "+").replace("_", "/")[: len(run) // 4 * 4])
        made.append(data.decode("utf-8", "replace"))
    return "\n".join(made)


@cache
def needles(secret: str) -> Mapping[str, tuple[str, ...]]:
    """By encoding, parts of a secret of which none may be found: any 16 characters in a row hold one of them."""
    once: set[str] = set()
    twice: set[str] = set()
    data = secret.encode()
    for shift in range(3):
        inner = body_of_base64(data, shift)
        once |= parts(inner.decode(), 16, 6)
        for again in range(3):
            twice |= parts(body_of_base64(inner, again).decode(), 20, 12)
    numbers = [str(each) for each in data]
    return {
        "plain": tuple(parts(secret, WINDOW, 5)),
        "base64": tuple(once | {each.replace("+", "-").replace("/", "_") for each in once}),
        "base64 twice": tuple(twice),
        "hex": tuple(parts(data.hex(), 2 * WINDOW, 10) | parts(data.hex().upper(), 2 * WINDOW, 10)),
        "bytes": tuple(",".join(numbers[at : at + 8]) for at in range(0, max(len(numbers) - 7, 1), 4)),
    }


def body_of_base64(data: bytes, shift: int) -> bytes:
    """The characters that are the same whatever stands around `data`, `shift` bytes after a multiple of 3."""
    whole = base64.b64encode(b"\0" * shift + data).rstrip(b"=")
    return whole[(0, 2, 3)[shift] : len(whole) - (1 if (len(data) + shift) % 3 else 0)]


def parts(text: str, size: int, stride: int) -> set[str]:
    if len(text) <= size:
        return {text}
    return {text[at : at + size] for at in range(0, len(text) - size + 1, stride)} | {text[-size:]}


def survivors(folder: Path, secrets: Iterable[str]) -> set[str]:
    """The encodings in which a part of a secret is in a file below."""
    decoded = haystack(folder)
    found = set()
    for secret in secrets:
        for encoding, wanted in needles(secret).items():
            for text, how in decoded.items():
                if any(part in text for part in wanted):
                    found.add(f"{encoding} {how}".strip())
                    break
    return found
