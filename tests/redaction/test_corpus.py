"""Recorded traffic of many vendors: what is redacted in it, and that nothing else is touched."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from convo_replay import sse
from convo_replay.cassette import load
from convo_replay.errors import CassetteError
from convo_replay.exchange import Exchange
from convo_replay.redaction import Redactor, leaks
from convo_replay.redaction.placeholders import places
from corpus import CORPUS

pytestmark = pytest.mark.skipif(CORPUS is None, reason="no corpus: set CONVO_CORPUS to a folder with its INDEX.json")

ALL = bool(os.environ.get("CONVO_CORPUS_ALL"))
LISTED = {
    "request-id",
    "openai-organization",
    "openai-project",
    "openai-user",
    "organization-id",
    "gcp-project",
    "aws-key-id",
    "aws-account",
    "jwt",
    "opaque",
    "api-key",
}  # a header that one test hands to an MCP server


@dataclass(frozen=True)
class Recording:
    path: str
    sensitive: list[str]
    raw: list[Exchange]
    redacted: list[Exchange]
    redactor: Redactor


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    made = []
    assert CORPUS is not None
    for row in json.loads((CORPUS / "INDEX.json").read_text(encoding="utf-8")):
        if row["format"] != "vcrpy-yaml":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                raw = load(CORPUS / row["path"]).exchanges
            except CassetteError:
                continue
        redactor = Redactor()
        redacted = [redactor.exchange(exchange) for exchange in raw]
        made.append(Recording(row["path"], row.get("sensitive", []), raw, redacted, redactor))
    return made


def _strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            for key, held in item.items():
                stack += [key, held]
        elif isinstance(item, list):
            stack += item


def _values(exchange: Exchange) -> list[str]:
    """The strings of both bodies; of a stream, event by event."""
    documents = [exchange.request.json]
    datas = [event.data or "" for event in sse.split(exchange.body)] if exchange.is_stream else [exchange.body]
    for data in datas:
        try:
            documents.append(json.loads(data))
        except ValueError:
            documents.append(repr(data))
    return [text for document in documents for text in _strings(document)]


def _classes(before: str, after: str) -> set[str]:
    return {place.cls for place in places(after)} - {place.cls for place in places(before)}


def test_the_gate_passes_what_was_redacted_and_redacting_again_changes_nothing(recordings: list[Recording]) -> None:
    """Every fourth of them; all where CONVO_CORPUS_ALL is set."""
    for recording in recordings[:: 1 if ALL else 4]:
        assert leaks(recording.redacted, recording.redactor) == [], recording.path
        for exchange in recording.redacted:
            assert recording.redactor.exchange(exchange) is exchange, recording.path


def test_values_without_a_listed_finding_are_unchanged(recordings: list[Recording]) -> None:
    changed: Counter[str] = Counter()
    strings = exchanges = 0
    for recording in recordings:
        for raw, redacted in zip(recording.raw, recording.redacted, strict=True):
            exchanges += 1
            before = _values(raw)
            strings += len(before)
            if redacted.request.body is raw.request.body and redacted.body == raw.body:
                continue
            after = _values(redacted)
            assert len(before) == len(after), recording.path
            for was, becomes in zip(before, after, strict=True):
                if was != becomes:
                    changed.update(_classes(was, becomes) or {"?"})
                    ids = r"(?:toolu_|msg_0|chatcmpl-|call_|resp_)\w+"
                    assert re.findall(ids, was) == re.findall(ids, becomes), recording.path
    assert exchanges > 2000
    assert set(changed) <= LISTED, f"changed by class: {changed}"
    assert sum(changed.values()) < 0.005 * strings, f"{sum(changed.values())} of {strings}: {changed}"


def test_no_event_is_lost(recordings: list[Recording]) -> None:
    for recording in recordings:
        for raw, redacted in zip(recording.raw, recording.redacted, strict=True):
            if raw.is_stream and raw.body != redacted.body:
                assert len(sse.split(raw.body)) == len(sse.split(redacted.body)), recording.path


def test_only_headers_of_the_table_remain(recordings: list[Recording]) -> None:
    gone = (
        "set-cookie",
        "cookie",
        "authorization",
        "x-api-key",
        "cf-ray",
        "user-agent",
        "x-stainless",
        "content-encoding",
    )
    for recording in recordings:
        for exchange in recording.redacted:
            names = {name for name, _ in exchange.request.headers}
            names |= {name for name, _ in exchange.head.headers} if exchange.head else set()
            assert not [name for name in names if name.startswith(gone)], recording.path


def test_what_the_index_lists_does_not_survive(recordings: list[Recording]) -> None:
    patterns = {
        "openai org/proj/user id": r"\b(?:org|user)-[A-Za-z0-9]{24}\b|\bproj_[A-Za-z0-9]{24}\b",
        "request id header": r"\breq_01[A-Za-z0-9]{20,}",
        "secret: jwt": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}",
        "set-cookie (live cloudflare cookies)": r"__cf_bm=",
        "cf-ray": r"(?i)cf-ray",
    }
    seen: Counter[str] = Counter()
    for recording in recordings:
        wanted = [kind for kind in patterns if kind in recording.sensitive]
        shown = repr([(e.request, e.steps) for e in recording.redacted]) if wanted else ""
        for kind in wanted:
            seen[kind] += 1
            assert re.search(patterns[kind], shown) is None, f"{kind} in {recording.path}"
    assert len(seen) >= 4
