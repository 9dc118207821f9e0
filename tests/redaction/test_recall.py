"""What `scan` finds of what the corpus is known to hold, class by class, and that it finds no key in a signature.

Every tenth file of the corpus and all with a rare finding; all of them where CONVO_CORPUS_ALL is set.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from convo_replay.redaction.classes import BY_NAME
from convo_replay.scanning import Hit, scan
from corpus import CORPUS, index, needs_corpus
from published import documents, exchanges, has_uuid, opaque_values

pytestmark = [needs_corpus, pytest.mark.xdist_group("corpus")]

EVERY = 1 if os.environ.get("CONVO_CORPUS_ALL") else 10
RARE = 10

# What the index lists → the classes that tell the same.
TOLD_BY: dict[str, set[str]] = {
    "user-agent": {"machine"},
    "x-stainless-* (machine/OS fingerprint)": {"machine"},
    "request id header": {"request-id"},
    "cf-ray": {"cf-ray"},
    "rate-limit headers (account tier)": {"rate-limit"},
    "openai-organization header": {"openai-organization"},
    "openai-project header": {"openai-project"},
    "openai org/proj/user id": {"openai-organization", "openai-project", "openai-user"},
    "set-cookie (live cloudflare cookies)": {"cookie"},
    "set-cookie (other)": {"cookie"},
    "request cookie": {"cookie"},
    "anthropic-organization-id": {"organization-id"},
    "auth header present but masked": {"masked", "api-key"},
    "AWS SigV4 Authorization header kept": {"aws-key-id", "api-key", "masked"},
    "gcp project id": {"gcp-project"},
    "org uuid inside thinking signature": {"opaque"},
    "secret: aws AKIA": {"aws-key-id"},
    "secret: jwt": {"jwt"},
    "email address": {"email"},
}


def holds_uuid(row: Mapping[str, Any]) -> bool:
    return any(has_uuid(value) for one in exchanges(row) for value in opaque_values(*documents(one)))


@pytest.fixture(scope="module")
def scanned() -> list[tuple[str, Sequence[str], Sequence[Hit]]]:
    assert CORPUS is not None
    rows = index()
    counts = Counter(kind for row in rows for kind in row.get("sensitive", []))
    made = []
    for number, row in enumerate(rows):
        kinds = row.get("sensitive", [])
        if number % EVERY and not any(counts[kind] <= RARE for kind in kinds):
            continue
        if "org uuid inside thinking signature" in kinds and not holds_uuid(row):
            kinds = [kind for kind in kinds if not kind.startswith("org uuid")]  # it stands in an image
        made.append((row["path"], kinds, scan(CORPUS / row["path"], environ={}).findings))
    return made


def test_every_kind_of_the_index_has_its_classes() -> None:
    assert {kind for row in index() for kind in row.get("sensitive", [])} == set(TOLD_BY)


def test_what_the_index_lists_is_found(scanned: list[tuple[str, Sequence[str], Sequence[Hit]]]) -> None:
    listed: Counter[str] = Counter()
    missed: dict[str, list[str]] = {}
    for path, kinds, hits in scanned:
        found = {hit.cls for hit in hits}
        for kind in kinds:
            listed[kind] += 1
            if not TOLD_BY[kind] & found:
                missed.setdefault(kind, []).append(path)
    assert set(listed) == set(TOLD_BY)
    below = {kind: paths[:5] for kind, paths in missed.items() if len(paths) > 0.01 * listed[kind]}
    assert not below, {kind: f"{len(missed[kind])} of {listed[kind]}" for kind in below} | below


def test_no_key_is_found_in_a_signature(scanned: list[tuple[str, Sequence[str], Sequence[Hit]]]) -> None:
    field = re.compile(r"(?:signature|encrypted_\w+|[tT]hought_?[sS]ignature|redactedContent)\b")
    for path, _, hits in scanned:
        inside = {hit.cls for hit in hits if field.search(hit.path)}
        assert inside <= {"opaque"}, path


def test_keys_are_found_where_keys_are_only(scanned: list[tuple[str, Sequence[str], Sequence[Hit]]]) -> None:
    """Published recordings hold hardly a key: what is found of them in bodies was looked at, file by file."""
    for path, kinds, hits in scanned:
        keys = {hit.cls for hit in hits if BY_NAME[hit.cls].severity == "error" and ".headers." not in hit.path}
        keys -= {"url-key", "cookie"}
        if not any(kind.startswith("secret:") for kind in kinds):
            assert keys <= LOOKED_AT.get(path.rpartition("/")[2], set()), path


# A token handed to an MCP server, and the passwords of WebRTC offers.
LOOKED_AT: dict[str, set[str]] = {
    "test_openai_responses_model_mcp_server_tool_with_connector.yaml": {"api-key"},
    "test_answer_webrtc_offer.yaml": {"named-secret"},
    "test_webrtc_sideband_audio_turn.yaml": {"named-secret"},
    "test_webrtc_sideband_text_turn.yaml": {"named-secret"},
}


def test_a_hit_says_where(scanned: list[tuple[str, Sequence[str], Sequence[Hit]]]) -> None:
    for path, _, hits in scanned:
        for hit in hits:
            assert hit.line >= 1, path
            assert hit.path, path
            assert hit.severity in ("error", "warn", "info")
            assert hit.exchange is None or hit.exchange >= 0
