"""A retired or deprecated model is told, with its day and a successor.

There is no clock here. "Today" is the later of two known days: the one of the recording, and the one up to
which `life_cycle.json` is right. So a recording of 2024 says that its model is gone by now, and the same
cassette says the same on every machine until the data file is renewed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

RETIRED = Rule(
    name="model-retired",
    number="§6",
    format="",
    severity="warn",
    summary="A request names a model that has not been retired.",
    why="The vendor's own API has retired this model: what was recorded plays on, and the same request sent today gets "
    "404. Move to the successor, record anew, and read the answers again: they will differ. Clouds that resell a model "
    "retire it on days of their own.",
    source="convo_replay/validation/life_cycle.json (vendors' deprecation pages, by way of their SDKs)",
    api_error="model: NAME",
    status=404,
)
DEPRECATED = Rule(
    name="model-deprecated",
    number="§6",
    format="",
    severity="warn",
    summary="A request names a model for which no day of retirement is set.",
    why="The vendor has announced the day on which this model is retired; requests to it fail from then on. Move to "
    "the successor before, and record anew.",
    source="convo_replay/validation/life_cycle.json (vendors' deprecation pages, by way of their SDKs)",
    status=0,
)


def check(asked: Asked) -> Iterator[Finding]:
    data = _life_cycle()
    entry = _entry(asked.model.name)
    if entry is None:
        return
    today, retires = max(asked.on, data["date"]), entry["retires"]
    sent = f'expected an active model such as "{entry["successor"]}", sent "{asked.model.name[:100]}"'
    elsewhere = "" if wire.address(asked.request)[0] in _OWN else "; this host may have days of its own"
    if retires <= today:
        said = f"model: {asked.model.name[:100]}" if asked.format == "anthropic" and not elsewhere else ""
        yield RETIRED.found(("model",), f"{sent}, retired on {retires}{elsewhere}", api_error=said)
    else:
        yield DEPRECATED.found(("model",), f"{sent}, which retires on {retires}{elsewhere}")


RULES = {RETIRED: check, DEPRECATED: check}

_OWN = ("api.anthropic.com", "api.openai.com")
_RELEASE = re.compile(r"-v\d+$")
"""At the end of Bedrock's names: `anthropic.claude-3-5-haiku-20241022-v1:0`."""


@functools.cache
def _life_cycle() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((files("convo_replay.validation") / "life_cycle.json").read_bytes())
    return data


@functools.lru_cache(256)
def _entry(name: str) -> Mapping[str, str] | None:
    """What is known of a model, in whichever spelling it is named."""
    known: Mapping[str, Mapping[str, str]] = _life_cycle()["models"]
    text = name.lower().rpartition("/")[2].partition(":")[0]
    if "claude" in text:
        text = _RELEASE.sub("", text[text.index("claude") :]).replace("@", "-")
    dashed = text.replace(".", "-")
    spellings = (text, dashed, f"{dashed}-latest", f"{dashed}-0") if "claude" in text else (text,)
    return next((known[spelling] for spelling in spellings if spelling in known), None)
