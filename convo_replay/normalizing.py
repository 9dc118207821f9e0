"""What `normalize` ignores: values that change from run to run though the conversation is the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_SEPARATOR = r"(?:\\\\?|/)"
_NAME = r"[^/\s\"'\\]+"

VOLATILE = re.compile(
    "|".join(
        (
            r"(?<![\w.-])\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?Z| ?UTC|[+-]\d\d:?\d\d)?)?(?![\w-])",
            r"(?<!\w)(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? )?"
            rf"(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}} {_MONTH} \d{{4}})(?!\w)",
            r"(?<!\w)\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z|[+-]\d\d:?\d\d)?(?![\w:])",
            r"(?<![0-9a-fA-F-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F-])",
            rf"(?:/private)?/(?:var/folders/\w\w/{_NAME}/T|tmp|var/tmp)/"
            rf"(?:pytest-of-{_NAME}/pytest-\d+(?:/popen-gw\d+)?|{_NAME})",
            rf"[A-Za-z]:{_SEPARATOR}Users{_SEPARATOR}{_NAME}{_SEPARATOR}AppData{_SEPARATOR}Local{_SEPARATOR}Temp"
            rf"{_SEPARATOR}{_NAME}",
        )
    )
)
"""The `default` preset: dates and times of day, UUIDs, and folders under the temp directory.

The lookbehind keeps dates that are part of a name (`gpt-5.5-2026-04-23`) out of it.
"""
_DIGITS_HINT = re.compile(r"\d{4}|:\d\d|-[0-9a-fA-F]{4}-")
_FOLDER_HINTS = ("tmp", "/T/", "Temp")
"""What every match of `VOLATILE` contains, one or the other: a search for these is ten times as fast."""


def normalized(text: str) -> str:
    """`text` with every volatile value (the `default` preset) replaced by `~`."""
    if _DIGITS_HINT.search(text) is None and not any(hint in text for hint in _FOLDER_HINTS):
        return text
    return VOLATILE.sub("~", text)


_PATH_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]")


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


def replaced(value: Any, path: Sequence[str | int], replacement: Any) -> Any:
    """`value` with what is at `path` replaced; copies along the path only."""
    if not path:
        return replacement
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
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
