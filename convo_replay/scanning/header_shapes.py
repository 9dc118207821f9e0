"""Headers in whatever shape a recorder, a stub server or a log writes them: mappings, lists, lines, text.

A key that says `headers` tells of a mapping (values as text, in lists, in matchers such as `equalTo`), of a list
(of pairs, of `name` and `value`, of lines, of names and values in turn) or of the lines as they were sent. In a text
they are what stands beside the name of a header that holds a credential.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from convo_replay.redaction import headers as table
from convo_replay.redaction import naming, urls
from convo_replay.redaction.classes import BY_NAME
from convo_replay.scanning.masks import is_mask

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Header:
    """A header of a recorded message.

    Attributes:
        name: in small letters; empty for what stands between headers.
        at: where its value stands.
        owner: the mapping that has it as a key, `None` where headers are a list.
        key: that key, as it is spelled.
        encoded: its value is not the text of the file: bytes, or part of a line.
        offset: where the value begins in a plain text, or, of a `part`, in the value at `at`.
        part: its value is a part of the text at `at`.
    """

    name: str
    value: str
    at: Path
    owner: Path | None = None
    key: Any = None
    encoded: bool = False
    offset: int | None = None
    part: bool = False


def is_headers(key: object) -> bool:
    """Whether a key says that its value is headers: `headers`, `requestHeaders`, `raw_headers`, `Header`."""
    return isinstance(key, str) and key.lower().endswith(("headers", "header"))


def headers(value: Any, at: Path) -> list[Header]:
    """The headers in what stands under such a key; none where it has another shape."""
    if isinstance(value, dict):
        return [header for key, held in value.items() for header in _entry(key, held, at)]
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        if texts and len(texts) == len(value) and _alternates(texts):
            pairs = zip(texts[::2], texts[1::2], strict=True)
            return [Header(name.lower(), held, (*at, 2 * number + 1)) for number, (name, held) in enumerate(pairs)]
        return [header for index, item in enumerate(value) for header in _item(item, (*at, index))]
    return list(_block(value, at)) if isinstance(value, str) else []


def are_plain(value: Any) -> bool:
    """Whether headers are a mapping of names to texts, so that nothing else can stand in it."""
    return isinstance(value, dict) and all(
        isinstance(key, str)
        and (isinstance(held, str) or (isinstance(held, list) and all(isinstance(one, str) for one in held)))
        for key, held in value.items()
    )


_NAME = re.compile(r"[A-Za-z][\w-]{0,80}")
_LINE = re.compile(r"([A-Za-z][\w-]{0,80}):[ \t]*([^\r\n]*)")
_USUAL = frozenset({
    "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "date", "host",
    "server", "transfer-encoding", "user-agent", "vary",
})  # fmt: skip
_VALUES = frozenset({
    "value", "values", "equalto", "exact", "contains", "matches", "glob", "regex", "includes", "startswith", "string",
})  # fmt: skip
"""What a value stands under, where it stands in a mapping of its own: in stub servers it is what is to be matched."""


def _entry(key: Any, held: Any, at: Path) -> Iterator[Header]:
    if isinstance(key, (str, bytes)):
        name = (key.decode("latin-1") if isinstance(key, bytes) else key).lower()
        yield from _values(name, held, (*at, key), at, key)


def _values(name: str, value: Any, at: Path, owner: Path | None = None, key: Any = None) -> Iterator[Header]:
    if isinstance(value, bytes):
        yield Header(name, value.decode("latin-1"), at, owner, key, encoded=True)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield Header(name, str(value), at, owner, key)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _values(name, one, (*at, index), owner, key)
    elif isinstance(value, dict):
        for step, one in value.items():
            if isinstance(step, str) and step.lower() in _VALUES:
                yield from _values(name, one, (*at, step), owner, key)


def _item(item: Any, at: Path) -> Iterator[Header]:
    if isinstance(item, dict):
        name = next(
            (held for key, held in item.items() if str(key).lower() in ("name", "key") and isinstance(held, str)), None
        )
        if name is not None:
            yield from _values(name.lower(), item, at)
    elif isinstance(item, list) and len(item) == 2 and isinstance(item[0], (str, bytes)):
        name = item[0].decode("latin-1") if isinstance(item[0], bytes) else item[0]
        yield from _values(name.lower(), item[1], (*at, 1))
    elif isinstance(item, str) and (line := _LINE.match(item)) is not None:
        yield Header(line[1].lower(), item[line.start(2) :], at, encoded=True, offset=line.start(2), part=True)


def _alternates(texts: list[str]) -> bool:
    """Whether names and values stand in turn, as in Node's `rawHeaders`."""
    names = texts[::2]
    return (
        len(texts) % 2 == 0
        and all(_NAME.fullmatch(name) for name in names)
        and any(name.lower() in _USUAL or "-" in name for name in names)
    )


def _block(text: str, at: Path) -> Iterator[Header]:
    lines = [*re.finditer(r"[^\r\n]+", text)]
    if not any(_LINE.fullmatch(line[0]) for line in lines):
        return
    for line in lines:
        match = _LINE.fullmatch(line[0])
        name, value, start = (match[1], match[2], match.start(2)) if match is not None else ("", line[0], 0)
        yield Header(name.lower(), value, at, encoded=True, offset=line.start() + start, part=True)


def named_value(value: dict[Any, Any]) -> tuple[str, Any, str] | None:
    """(name, key, value) of a mapping that is a name beside its value, as archives hold cookies and parameters."""
    keys = {key.lower(): key for key in value if isinstance(key, str)}
    name = value.get(keys.get("name", keys.get("key")))
    held = value.get(keys.get("value"))
    return (name, keys["value"], held) if isinstance(name, str) and isinstance(held, str) else None


def class_beside(name: str, value: str, among: str) -> str | None:
    """The class of a value that its name says gives access, in a list of cookies, of parameters, of anything.

    Args:
        among: the key of the list.
    """
    low = among.lower()
    if low.endswith("cookies"):
        return "cookie" if naming.is_secret_value(value) else None
    if low in _PARAMETERS:
        return next((cls for _, cls in urls.credentials(f"?{quote(name)}={quote(value, safe='')}")), None)
    return naming.named(name, value)


_PARAMETERS = frozenset({"querystring", "query", "params", "parameters", "formdata", "urlencoded"})


# --- in a text ------------------------------------------------------------------------------------------

_MAY = re.compile(r"cookie|auth|key|token|secret|password|credential|signature", re.IGNORECASE)
_BESIDE = re.compile(r"""(?<![\w-])([A-Za-z][\w-]{2,60}+)\\?["']?(?:\]?[ \t]?[:=]|,)[ \t]?(?:b?\\?["'])?(?=\S)""")
_COOKIE = re.compile(r"""[\w!#$%&*+.^`|~-]{1,80}=[^\s"'\\;,]{8,500}[^\r\n"'\\]{0,500}""")
_VALUE = re.compile(r"""(?:([A-Za-z][\w-]{2,20})[ \t]+)?([^\s"'\\,;&<>(){}]{8,500})""")
_SHORT = 64
_WSGI = "HTTP_"


def wsgi_name(key: str) -> str:
    """`HTTP_X_API_KEY`, as a server's environment names a header, as that header's name; empty for other names."""
    return key[len(_WSGI) :].replace("_", "-").lower() if key.startswith(_WSGI) else ""


def in_text(text: str) -> Iterator[Header]:
    """What stands in a text beside the name of a header that holds a credential, and looks like one."""
    if _MAY.search(text) is None:
        return
    end = 0
    for match in _BESIDE.finditer(text):
        if match.start() < end or _MAY.search(match[1]) is None:
            continue
        name = wsgi_name(match[1]) or match[1].lower()
        cls = table.class_of(name, response=False)
        if cls is None or BY_NAME[cls].severity != "error":
            continue
        value = (_COOKIE if cls == "cookie" else _VALUE).match(text, match.end())
        if value is None:
            continue
        if len(value[0]) > _SHORT:  # what was judged is not judged again from another name in it
            end = value.end()
        if _is_credential(cls, value):
            end = value.end()
            yield Header(name, value[0], (), offset=value.start())


def _is_credential(cls: str, value: re.Match[str]) -> bool:
    if cls == "cookie":
        held = [pair.partition("=")[2].strip() for pair in value[0].split(";")]
        return any(naming.is_secret_value(one) for one in held)
    scheme, rest = value[1], value[2]
    if scheme is None or scheme.lower() != "basic":
        return naming.is_secret_value(rest)
    try:
        password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[2]
    except ValueError:
        return False
    return bool(password) and not is_mask(password)
