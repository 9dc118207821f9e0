"""A model that is gone, or that goes, is told with its day and a successor, and without a clock."""

from __future__ import annotations

import ast
import json
import re
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from convo_replay.exchange import Json, Request
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding
from convo_replay.validation.rules import model_life_cycle

API = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
ROUTER = "https://openrouter.ai/api/v1/chat/completions"
VERTEX = "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/{}:rawPredict"

DATA: dict[str, Any] = json.loads((files("convo_replay.validation") / "life_cycle.json").read_bytes())


def found(model: Any, url: str = API, on: str = "") -> list[Finding]:
    format = "anthropic" if "anthropic" in url else "openai_chat"
    body = {"messages": []} if "{}" in url else {"model": model, "messages": []}
    return list(model_life_cycle.check(Asked(Request("POST", url.format(model), (), Json(body)), format, [], on=on)))


@pytest.mark.parametrize(
    ("model", "url", "rule", "day"),
    [
        ("claude-3-5-haiku-latest", API, "model-retired", "2026-02-19"),
        ("claude-3-opus-20240229", API, "model-retired", "2026-01-05"),
        ("claude-2.1", API, "model-retired", "2025-07-21"),
        ("claude-sonnet-4-5", API, "model-deprecated", "2026-11-30"),
        ("claude-sonnet-4-5-20250929", API, "model-deprecated", "2026-11-30"),
        ("Claude-Sonnet-4-5", API, "model-deprecated", "2026-11-30"),
        ("gpt-3.5-turbo", CHAT, "model-retired", "2026-10-23"),
        ("gpt-4o-mini", CHAT, "model-deprecated", "2027-01-14"),
        ("o3", CHAT, "model-deprecated", "2026-12-11"),
        ("openai/gpt-4o-mini", ROUTER, "model-deprecated", "2027-01-14"),
        ("anthropic/claude-sonnet-4.5", ROUTER, "model-deprecated", "2026-11-30"),
        ("anthropic/claude-3.7-sonnet:thinking", ROUTER, "model-retired", "2026-02-19"),
        ("anthropic/claude-sonnet-4", ROUTER, "model-retired", "2026-06-15"),
        ("us.anthropic.claude-3-5-haiku-20241022-v1:0", ROUTER, "model-retired", "2026-02-19"),
        ("claude-3-7-sonnet@20250219", VERTEX, "model-retired", "2026-02-19"),
    ],
)
def test_a_model_in_whichever_spelling(model, url, rule, day):
    (finding,) = found(model, url)
    assert (finding.rule, finding.severity, finding.where) == (rule, "warn", ("model",))
    assert day in finding.message
    assert model in finding.message


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-5-5",
        "claude-haiku-4-5-20251001",
        "gpt-5.5",
        "gpt-4o-mini-of-ours",
        "ft:gpt-4o-mini:acme::1",
        "",
        None,
        5,
    ],
    ids=repr,
)
@pytest.mark.parametrize("url", [API, CHAT], ids=["messages", "chat"])
def test_nothing_is_said_of_models_that_stay_or_that_nobody_knows(model, url):
    assert found(model, url) == []


def test_today_is_the_later_of_the_recording_s_day_and_the_data_s():
    assert [finding.rule for finding in found("claude-sonnet-4-5")] == ["model-deprecated"]
    assert [finding.rule for finding in found("claude-sonnet-4-5", on="2024-03-01")] == ["model-deprecated"]
    assert [finding.rule for finding in found("claude-sonnet-4-5", on="2026-11-29")] == ["model-deprecated"]
    assert [finding.rule for finding in found("claude-sonnet-4-5", on="2026-11-30")] == ["model-retired"]
    assert [finding.rule for finding in found("claude-3-opus-20240229", on="2024-03-01")] == ["model-retired"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            CHAT,
            'expected an active model such as "gpt-5.4-mini", sent "gpt-4o-mini", which retires on 2027-01-14',
        ),
        (
            ROUTER,
            'expected an active model such as "gpt-5.4-mini", sent "gpt-4o-mini", which retires on 2027-01-14'
            "; this host may have days of its own",
        ),
    ],
    ids=["vendor", "gateway"],
)
def test_the_message_names_the_day_and_a_successor(url, message):
    (finding,) = found("gpt-4o-mini", url)
    assert finding.message == message


def test_the_data_is_in_order():
    assert date.fromisoformat(DATA["date"]) <= date(2030, 1, 1)
    for model, entry in DATA["models"].items():
        date.fromisoformat(entry["retires"])
        assert entry["successor"] not in DATA["models"], f"{model}: its successor goes, too"


def _source(package: str, path: str, sdk: str) -> str:
    stated = re.search(rf"{sdk} ([\d.]+)", DATA["source"])
    assert stated is not None
    if version(sdk) != stated[1]:
        pytest.skip(f"life_cycle.json is made from {sdk} {stated[1]}, and {version(sdk)} is installed here")
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / path).read_text(encoding="utf-8")


def test_the_days_are_those_of_anthropic_s_sdk():
    tree = ast.parse(_source("anthropic", "resources/messages/messages.py", "anthropic"))
    deprecated = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DEPRECATED_MODELS"
    )
    months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
    months += ["November", "December"]
    for model, said in deprecated.items():
        month, day, year = re.findall(r"\w+", said)
        stated = date(int(year), months.index(month) + 1, int(re.sub(r"\D", "", day)))
        assert DATA["models"][model]["retires"] == stated.isoformat()


def test_the_days_are_those_of_openai_s_sdk():
    text = " ".join(_source("openai", "types/shared/chat_model.py", "openai").split())
    entries = re.findall(r'- ((?:"[^"]+",? ?)+): Announced shutdown date: (\d{4}-\d\d-\d\d)', text)
    assert len(entries) > 10
    for models, day in entries:
        for model in re.findall(r'"([^"]+)"', models):
            assert DATA["models"][model]["retires"] == day
