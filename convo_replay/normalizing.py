"""What `normalize` ignores: values that change from run to run though the conversation is the same."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_SEPARATOR = r"(?:\\\\?|/)"
_NAME = r"[^/\s\"'\\]+"

# Digits are those of ASCII: what is no ISO date in any log is none here.
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_FRACTION = "(?:[.,][0-9]+)?"
_ZONE = "[+-][0-9]{2}:?[0-9]{2}"
VOLATILE = re.compile(
    "|".join(
        (
            rf"(?<![\w.-]){_DATE}"
            rf"(?:[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}{_FRACTION})?(?: ?Z| ?UTC|{_ZONE})?)?(?![\w-])",
            r"(?<!\w)(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? )?"
            rf"(?:{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}|[0-9]{{1,2}} {_MONTH} [0-9]{{4}})(?!\w)",
            rf"(?<!\w)[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}{_FRACTION}(?: ?Z|{_ZONE})?(?![\w:])",
            r"(?<![0-9a-fA-F-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F-])",
            rf"(?:/private)?/(?:var/folders/\w\w/{_NAME}/T|tmp|var/tmp)/"
            rf"(?:pytest-of-{_NAME}/pytest-[0-9]+(?:/popen-gw[0-9]+)?|{_NAME})",
            rf"[A-Za-z]:{_SEPARATOR}Users{_SEPARATOR}{_NAME}{_SEPARATOR}AppData{_SEPARATOR}Local{_SEPARATOR}Temp"
            rf"{_SEPARATOR}{_NAME}",
        )
    )
)
"""The `default` preset: dates and times of day, UUIDs, and folders under the temp directory.

The lookbehind keeps dates that are part of a name (`gpt-5.5-2026-04-23`) out of it.
"""
_DIGITS_AS_0 = bytes.maketrans(b"123456789", b"0" * 9)
_HEX_AS_0 = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
_MONTHS = tuple(_MONTH.strip("(?:)").split("|"))


def normalized(text: str) -> str:
    """`text` with every volatile value (the `default` preset) replaced by `~`."""
    return VOLATILE.sub("~", text) if _may_be_volatile(text) else text


def _may_be_volatile(text: str) -> bool:
    """Whether `VOLATILE` can match anywhere: what each match holds is looked for, at a tenth of the cost."""
    if "tmp" in text or "/T/" in text or "Temp" in text:
        return True
    data = text.encode("utf-8", "surrogatepass")
    digits = data.translate(_DIGITS_AS_0)
    if b"-00-" in digits or b":00:" in digits or b"-0000-" in data.translate(_HEX_AS_0):
        return True
    if b" 0000" in digits:
        for month in _MONTHS:
            if month in text:
                return True
    return False


_PATH_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]")


@functools.cache
def parse_path(path: str) -> tuple[str | int, ...]:
    """`messages[*].content[0].text` as `("messages", "*", "content", 0, "text")`; a leading `$` is dropped.

    Raises:
        ValueError: the text is no such path.
    """
    text = path[1:] if path.startswith("$") and path[1:2] in (".", "[", "") else path
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PATH_STEP.match(text, at)
        if match is None:
            raise ValueError(f"{path!r} is no JSON path at character {at}; write it like messages[*].content[0].text")
        name, index = match.groups()
        steps.append(name if name is not None else "*" if index == "*" else int(index))
        at = match.end()
    if not steps:
        raise ValueError(f"{path!r} is no JSON path; write it like messages[*].content[0].text")
    return tuple(steps)


GONE: Final = object()
"""In place of a replacement: the key is left out."""


def replaced(value: Any, path: Sequence[str | int], replacement: Any) -> Any:
    """`value` with what is at `path` replaced; copies along the path only."""
    if not path:
        return replacement
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        if replacement is GONE and not rest:
            return {key: child for key, child in value.items() if key != step} if step in value else value
        keys = list(value) if step == "*" else [step] if step in value else []
        if keys:
            value = {**value, **{key: replaced(value[key], rest, replacement) for key in keys}}
    elif isinstance(value, list):
        indexes = range(len(value)) if step == "*" else [step] if isinstance(step, int) and step < len(value) else []
        if indexes:
            value = list(value)
            for index in indexes:
                value[index] = replaced(value[index], rest, replacement)
    return value
