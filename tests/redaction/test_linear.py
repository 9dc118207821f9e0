"""Time grows as the text does, on the text that each pattern likes least.

That each search comes to an end is tested always. What it costs is measured with `CONVO_LINEAR=1`: of two sizes,
the least processor time of several runs each.
"""

from __future__ import annotations

import os
import time

import pytest

from convo_replay.redaction.classes import CLASSES
from convo_replay.redaction.detect import Detector

UNITS = [
    "eyJ",
    "eyJaaaaaaa.",
    "sk-",
    "sk-ant-",
    "sk-ant-aaaaaaaaaaaaaaaaaa",
    "AKIA",
    "AKIAEXAMPLE234567ABC:",
    "a",
    "a.",
    "+sk-",
    "\\",
    "\\\\n",
    "\\u0041",
    "\\/",
    "%41",
    "%",
    "%25",
    "password:",
    "password=",
    'token":"',
    "token ",
    "key",
    "-p ",
    "-u a:b ",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAA\n",
    "redacted-",
    "redacted-a-",
    "SG.",
    "1:AA",
    "12345678:AA",
    "@",
    "a@",
    "a@b.",
    "://",
    "https://a:",
    "ada:",
    "/home/",
    "Users/a ",
    "hone ",
    "123-",
    "+49 ",
    "ignature=",
    "sig=a%20",
    "projects/",
    "arn:aws:",
    "VGhpcyBpcyBhIHRleHQu",
    "7468697320697320",
    "iVBORw0KGgo",
    "glpat-",
    "hooks.slack.com/services/",
    "cmVkYWN0ZWQtb3BhcXVlL",
    "=",
    " ",
    "\n",
    '{"',
    "İ",
    "i key",
]
STRINGS = {f"{at} {unit[:12]!r}": unit for at, unit in enumerate(UNITS)}
MEASURED = os.environ.get("CONVO_LINEAR") == "1"


def test_every_search_ends() -> None:
    detector = Detector(["no such secret", 'another "one"'])
    for unit in UNITS:
        detector.find((unit * 8_000)[:8_000])
    for item in CLASSES:
        if item.pattern:
            detector.find(item.example * 40)
            detector.find((item.example[: len(item.example) // 2] + " ") * 100)


@pytest.mark.skipif(not MEASURED, reason="measures processor time: CONVO_LINEAR=1")
@pytest.mark.parametrize("unit", STRINGS.values(), ids=STRINGS)
def test_twice_the_text_takes_twice_the_time(unit: str) -> None:
    size = 40_000
    for _ in range(4):  # a busy machine is asked again
        ratio = _least(unit, 2 * size) / _least(unit, size)
        if ratio <= 2.2:
            break
    assert ratio <= 2.2


def _least(unit: str, size: int) -> float:
    text = (unit * (size // len(unit) + 1))[:size]
    detector = Detector(["no such secret"])
    times = []
    for _ in range(5):
        before = time.process_time()
        detector.find(text)
        times.append(time.process_time() - before)
    return min(times)
