"""Recorded traffic of many vendors, recorded once more: what a cassette then says otherwise, and that nothing else is.

Every tenth file of the corpus; all of them where CONVO_CORPUS_ALL is set.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convo_replay import checking, keeping, sse
from convo_replay.exchange import Exchange
from convo_replay.redaction import Redactor, leaks
from convo_replay.redaction.placeholders import make_opaque, places
from convo_replay.transports.tokens import is_token_endpoint
from corpus import index, needs_corpus
from published import documents, exchanges, has_uuid, opaque_values, record, replay

pytestmark = [needs_corpus, pytest.mark.xdist_group("corpus")]

EVERY = 1 if os.environ.get("CONVO_CORPUS_ALL") else 10
UUID_IN_SIGNATURE = "org uuid inside thinking signature"

# Classes of values in bodies and URLs, with how many strings of all the corpus they may change at most.
LISTED = {
    "opaque", "request-id", "gcp-project", "aws-account", "aws-key-id", "jwt", "api-key", "email", "phone", "user-name",
    "openai-organization", "openai-project", "openai-user", "organization-id", "container-id", "file-id", "user-id",
    "account-id", "url-signature", "url-password", "named-secret",
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """One published file, as it was and as it is after our recording of the same traffic."""

    path: str
    sensitive: Sequence[str]
    conversation: bool
    raw: list[Exchange]
    made: list[Exchange]
    file: Path

    def pairs(self) -> Iterator[tuple[Exchange, Exchange]]:
        return zip(self.raw, self.made, strict=True)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("recorded")
    made = []
    for number, row in enumerate(index()):
        listed = row.get("sensitive", [])
        if number % EVERY and UUID_IN_SIGNATURE not in listed:
            continue
        raw, file = exchanges(row), folder / f"{number}.yaml"
        # Token endpoints are never recorded, and of attempts that a later one made good only errors are asked for.
        raw = [one for one in raw if not is_token_endpoint(one.request.method, one.request.url)]
        raw = keeping.kept(raw, keep=["errors"])
        made.append(Recording(row["path"], listed, "conversation" in row, raw, record(file, raw), file))
    return made


def strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            # A request that repeats an earlier one is written as what it adds: the order of its keys may change.
            for key, held in sorted(item.items()):
                stack += [key, held]
        elif isinstance(item, list):
            stack += item


def new_classes(before: str, after: str) -> set[str]:
    return {place.cls for place in places(after)} - {place.cls for place in places(before)}


def test_every_exchange_is_kept(recordings: list[Recording]) -> None:
    assert sum(len(recording.raw) for recording in recordings) > 2600 // EVERY * 0.8
    for recording in recordings:
        assert len(recording.made) == len(recording.raw), recording.path


def test_few_values_change_and_each_by_a_placeholder_of_a_listed_class(recordings: list[Recording]) -> None:
    changed: Counter[str] = Counter()
    total = 0
    for recording in recordings:
        for raw, made in recording.pairs():
            before, after = list(strings(documents(raw))), list(strings(documents(made)))
            total += len(before)
            assert len(before) == len(after), recording.path
            for was, becomes in zip(before, after, strict=True):
                if was == becomes:
                    continue
                changed.update(new_classes(was, becomes) or {"?"})
                kept = r"(?<![\w-])(?:toolu_|msg_0|chatcmpl-|call_|resp_)\w+"
                assert re.findall(kept, was) == re.findall(kept, becomes), recording.path
    assert set(changed) <= LISTED, f"changed by class: {changed}"
    assert sum(changed.values()) < 0.005 * total, f"{sum(changed.values())} of {total}: {changed}"


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def test_what_holds_no_finding_is_equal_byte_by_byte(recordings: list[Recording]) -> None:
    equal = 0
    for recording in recordings:
        for raw, made in recording.pairs():
            if raw.body == made.body:
                equal += 1
                continue
            assert places(made.body.decode("utf-8", "replace")), recording.path
            if raw.body[:1] not in b"{[" and not raw.is_stream:
                continue  # the description of a WebRTC session, in lines
            # Beside the values that changed, the text is the same: spaces, escapes, order, numbers.
            assert _STRING.sub(b'""', raw.body) == _STRING.sub(b'""', made.body), recording.path
            for was, becomes in zip(_STRING.findall(raw.body), _STRING.findall(made.body), strict=True):
                assert was == becomes or places(becomes.decode()) or b"redacted" in becomes or _in_pieces(becomes)
    assert equal > 1000 // EVERY


def _in_pieces(token: bytes) -> bool:
    """Whether it is a piece of a replaced opaque value, or what is left of one that a stream has in pieces."""
    return token == b'""' or _is_filler(token[1:-1].decode())


def test_no_event_is_lost(recordings: list[Recording]) -> None:
    for recording in recordings:
        for raw, made in recording.pairs():
            before, after = sse.split(raw.body), sse.split(made.body)
            assert [event.event for event in before] == [event.event for event in after], recording.path
            assert raw.status == made.status


def _is_filler(text: str) -> bool:
    bare = text.rstrip("=")
    return bare != "" and any(bare in make_opaque("A" * (len(bare) + 80), number) for number in range(1, 200))


def test_opaque_values_are_kept_or_replaced_whole(recordings: list[Recording]) -> None:
    kept = replaced = 0
    for recording in recordings:
        stands_for: dict[str, str] = {}
        for raw, made in recording.pairs():
            for was, becomes in zip(documents(raw), documents(made), strict=True):
                for old, new in zip(opaque_values(was), opaque_values(becomes), strict=True):
                    if old == new:
                        kept += 1
                        continue
                    replaced += 1
                    assert len(old) == len(new), recording.path
                    assert _is_filler(new), recording.path
                    assert stands_for.setdefault(old, new) == new, recording.path
        assert len(set(stands_for.values())) == len(stands_for), recording.path
    assert kept > 400 // EVERY
    assert replaced > 100 // EVERY


def test_a_signature_with_a_uuid_in_it_is_replaced_and_its_turn_unmodified(recordings: list[Recording]) -> None:
    told = sent_back = 0
    for recording in recordings:
        values = [[value for one in exchanges for value in opaque_values(*documents(one))]
                  for exchanges in (recording.raw, recording.made)]  # fmt: skip
        assert not any(map(has_uuid, values[1])), recording.path
        if not any(map(has_uuid, values[0])):
            continue
        told += 1
        assert [_is_filler(new) for new in values[1]] == [old != new for old, new in zip(*values, strict=True)]
        assert b"resendable: false" in recording.file.read_bytes(), recording.path
        before, after = (
            {finding.rule for finding in checking.findings(one)} for one in (recording.raw, recording.made)
        )
        assert not (after - before) & {"thinking-modified", "turn-altered"}, recording.path
        sent_back += any(_is_filler(value) for made in recording.made for value in opaque_values(made.request.json))
    assert told >= 6
    assert sent_back >= 1


def test_validation_finds_what_it_found_before(recordings: list[Recording]) -> None:
    for recording in recordings:
        found = [
            Counter((finding.rule, finding.path, finding.severity) for finding in checking.findings(exchanges))
            for exchanges in (recording.raw, recording.made)
        ]
        assert found[0] == found[1], recording.path


def test_every_conversation_is_answered_from_the_file(recordings: list[Recording]) -> None:
    conversations = [recording for recording in recordings if recording.conversation]
    assert len(conversations) > 300 // EVERY
    for recording in conversations:
        for (status, body), made in zip(replay(recording.file, recording.raw), recording.made, strict=True):
            assert status == made.status, recording.path
            assert len(body) == len(made.body) or places(made.body.decode("utf-8", "replace")), recording.path


def test_redacting_again_changes_nothing_and_the_gate_passes_it(recordings: list[Recording]) -> None:
    for recording in recordings:
        redactor = Redactor({})
        assert leaks(recording.made, redactor) == [], recording.path
        for exchange in recording.made:
            assert redactor.exchange(exchange) == exchange, recording.path


GONE = (
    "set-cookie", "cookie", "authorization", "x-api-key", "api-key", "cf-ray", "user-agent", "x-stainless",
    "content-encoding", "x-amz-security-token",
)  # fmt: skip


def test_only_headers_of_the_table_remain(recordings: list[Recording]) -> None:
    for recording in recordings:
        for exchange in recording.made:
            names = {name for name, _ in exchange.request.headers}
            names |= {name for name, _ in exchange.head.headers} if exchange.head else set()
            assert not [name for name in names if name.startswith(GONE)], recording.path


SURVIVE_NOT = {
    "openai org/proj/user id": r"(?<![\w-])(?:org-|user-|proj_)[A-Za-z0-9]{24}(?![\w-])",
    "request id header": r"(?<![\w-])req_(?:01[A-Za-z0-9]{20,}|[0-9a-f]{32})",
    "secret: jwt": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}",
    "secret: aws AKIA": r"AKIA[A-Z0-9]{16}",
    "set-cookie (live cloudflare cookies)": r"__cf_bm=",
    "cf-ray": r"(?i)cf-ray",
    "x-stainless-* (machine/OS fingerprint)": r"(?i)x-stainless-",
}


def test_what_the_index_lists_does_not_survive(recordings: list[Recording]) -> None:
    seen: Counter[str] = Counter()
    for recording in recordings:
        wanted = [kind for kind in SURVIVE_NOT if kind in recording.sensitive]
        text = recording.file.read_text(encoding="utf-8")
        for kind in wanted:
            seen[kind] += 1
            assert re.search(SURVIVE_NOT[kind], text) is None, f"{kind} in {recording.path}"
    assert len(seen) >= 4
