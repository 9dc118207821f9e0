"""Findings of `convo-replay scan` as SARIF 2.1.0, which code-scanning pages show beside the line (OASIS standard).

A rule is a class of docs/redaction.md, by its name, so that ids stay the same from version to version. Files are named
from the folder where the command runs, the way such pages expect; a result says class and place, never the value.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from convo_replay import __version__
from convo_replay.redaction.classes import BY_NAME, Severity
from convo_replay.scanning import Fixed, Hit, Scanned

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Severity, str] = {"error": "error", "warn": "warning", "info": "note"}
_SAID: dict[Severity, str] = {
    "error": "gives access to an account or a machine",
    "warn": "tells who, where, or on which account it was recorded",
    "info": "is kept by policy, or masked already",
}
_SECURITY: dict[Severity, str] = {"error": "8.0", "warn": "4.0", "info": "0.0"}


class Log:
    """Collects findings and prints them as one document."""

    def __init__(self) -> None:
        self._hits: list[Hit] = []

    def file(self, scanned: Scanned) -> None:
        """One file that was looked at."""
        self._hits += scanned.failing

    def fixed(self, fixed: Fixed) -> None:
        """One file that `--fix` has seen: what is left in it."""
        self.file(fixed.after)

    def summary(self) -> None:
        """Prints the document."""
        print(json.dumps(document(self._hits), indent=2))


def document(hits: Sequence[Hit], folder: Path | None = None) -> dict[str, Any]:
    """The SARIF document of some findings; files are named from `folder`, by default the current one."""
    names = sorted({hit.cls for hit in hits})
    numbers = {name: at for at, name in enumerate(names)}
    base = str(folder or Path.cwd())
    driver = {"name": "convo-replay", "semanticVersion": __version__, "rules": [_rule(name) for name in names]}
    results = [_result(hit, numbers[hit.cls], base) for hit in hits]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    severity = BY_NAME[name].severity
    return {
        "id": name,
        "shortDescription": {"text": f"{name} in a recording"},
        "fullDescription": {"text": f"A value of class {name}, which {_SAID[severity]}, stands in a recorded file."},
        "help": {
            "text": "Replace it with a placeholder: `convo-replay scan --fix FILE`, for cassettes of ours and vcrpy's. "
            "A credential that was ever committed is to be revoked, whatever becomes of the file."
        },
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": ["security"], "security-severity": _SECURITY[severity]},
    }


def _result(hit: Hit, rule: int, base: str) -> dict[str, Any]:
    uri = quote(Path(os.path.relpath(hit.file, base)).as_posix(), safe="/!$&'()*+,;=@~")
    where = f" in exchange {hit.exchange}" if hit.exchange is not None else ""
    place = f" at {hit.path}" if hit.path else ""
    identity = "\n".join([uri, hit.cls, str(hit.exchange), hit.path or str(hit.line)])
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": hit.line}}
    }
    if hit.path:
        number = f"exchanges[{hit.exchange}]." if hit.exchange is not None else ""
        location["logicalLocations"] = [{"fullyQualifiedName": f"{number}{hit.path}", "kind": "member"}]
    return {
        "ruleId": hit.cls,
        "ruleIndex": rule,
        "level": _LEVELS[hit.severity],
        "message": {"text": f"{hit.cls}{place}{where}" + ("; --fix replaces it" if hit.fixable else "")},
        "locations": [location],
        "partialFingerprints": {"convoReplay/v1": hashlib.sha256(identity.encode()).hexdigest()[:32]},
        "properties": {"exchange": hit.exchange, "fixable": hit.fixable},
    }
