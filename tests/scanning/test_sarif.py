"""`convo-replay scan --sarif`: the document that code-scanning pages take (SARIF 2.1.0)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convo_replay import __version__
from convo_replay.cli import main
from scan_cases import SECRETS, vcrpy_yaml, write

ROOT = Path(__file__).parents[2]
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["error", "warning", "note"]}
SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": r"^https://docs\.oasis-open\.org/sarif/.*sarif-schema-2\.1\.0\.json$"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array", "minItems": 1, "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {"properties": {"driver": {
                        "required": ["name", "semanticVersion", "rules"],
                        "properties": {"rules": {"uniqueItems": True, "items": {
                            "required": ["id"],
                            "additionalProperties": False,
                            "properties": {
                                "id": {"type": "string"},
                                "shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT,
                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                "properties": {"properties": {"tags": {"uniqueItems": True}}},
                            },
                        }}},
                    }}},
                    "results": {"type": "array", "items": {
                        "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                        "additionalProperties": False,
                        "properties": {
                            "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
                            "level": LEVEL, "message": TEXT,
                            "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            "properties": {"type": "object"},
                            "locations": {"items": {
                                "additionalProperties": False,
                                "required": ["physicalLocation"],
                                "properties": {
                                    "logicalLocations": {"items": {"required": ["fullyQualifiedName"]}},
                                    "physicalLocation": {"properties": {
                                        "artifactLocation": {"properties": {"uri": {"pattern": "^[^/:][^:]*$"}}},
                                        "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
                                    }},
                                },
                            }},
                        },
                    }},
                },
            },
        },
    },
}  # fmt: skip
"""What of the standard's schema this document uses (OASIS SARIF 2.1.0, section 3). The whole schema, where
CONVO_SARIF_SCHEMA names a copy of it, is asked too."""


def document(capsys: pytest.CaptureFixture[str], *paths: object) -> dict[str, Any]:
    code = main(["scan", "--sarif", *map(str, paths)])
    out, err = capsys.readouterr()
    made: dict[str, Any] = json.loads(out)
    assert (code, err) == (int(bool(made["runs"][0]["results"])), "")
    assert not [secret for secret in SECRETS if secret in out]
    jsonschema.Draft202012Validator(SHAPE).validate(made)
    if given := os.environ.get("CONVO_SARIF_SCHEMA"):
        schema = json.loads(Path(given).read_text(encoding="utf-8"))
        jsonschema.Draft7Validator(schema).validate(made)
    return made


def test_each_finding_that_fails_is_a_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = vcrpy_yaml()
    write(tmp_path / "in a folder" / "ä [1].yaml", data)
    (run,) = document(capsys, "in a folder")["runs"]
    driver, results = run["tool"]["driver"], run["results"]
    assert (driver["name"], driver["semanticVersion"]) == ("convo-replay", __version__)
    assert len(results) == 11
    for result in results:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "in%20a%20folder/%C3%A4%20%5B1%5D.yaml"
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert 1 <= place["region"]["startLine"] <= data.count(b"\n")
    levels = {result["ruleId"]: result["level"] for result in results}
    assert levels == {
        "anthropic-key": "error", "cookie": "error", "cf-ray": "warning", "email": "warning", "machine": "warning",
        "organization-id": "warning", "request-id": "warning",
    }  # fmt: skip
    prints = [result["partialFingerprints"]["convoReplay/v1"] for result in results]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_stays_when_lines_move(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = []
    for before in (b"", b"# one\n# more\n"):
        write(tmp_path / "a.yaml", before + vcrpy_yaml())
        (run,) = document(capsys, "a.yaml")["runs"]
        seen.append({result["partialFingerprints"]["convoReplay/v1"] for result in run["results"]})
    assert seen[0] == seen[1]


def test_nothing_found_is_a_document_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = document(capsys, write(tmp_path / "a.json", b"{}"))["runs"]
    assert run["results"] == []


def test_hooks_for_pre_commit_run_commands_that_exist() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^  entry: convo-replay (\w+)$", text, re.MULTILINE)
    assert entries == ["scan", "check"]
    folders = re.findall(r"^  files: (.*)$", text, re.MULTILINE)
    for pattern in folders:
        for path, taken in (
            ("tests/cassettes/a.yaml", True), ("cassettes/a.yaml", True), ("tests/vcr_cassettes/x/a.json", True),
            ("tests/test_cassettes.py", False), ("src/a.yaml", False),
        ):  # fmt: skip
            assert bool(re.search(pattern, path)) == taken, path
