"""Checks an installed wheel, from an environment that has nothing else: `check_wheel.py FILE.whl`.

The wheel holds the package and its data and nothing else, asks for what the project promised to ask
for (docs/decisions.md, "Dependencies"), and imports from where it was installed.
"""

from __future__ import annotations

import importlib
import re
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

PROMISED = {
    "filelock", "httpx", "jsonschema", "jsonschema-rs", "orjson", "pydantic", "pytest", "pyyaml", "rich", "syrupy",
    "vcrpy",
}  # fmt: skip


def main(wheel: str) -> int:
    problems: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        asked = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    problems += [
        f"{name} is not part of the package"
        for name in names
        if not name.startswith(("convo_replay/", metadata.partition("/")[0]))
    ]
    if "convo_replay/py.typed" not in names:
        problems.append("convo_replay/py.typed is missing: type checkers would not read the annotations")
    base = {re.split(r"[^A-Za-z0-9-]", need)[0].lower() for need in asked if "extra ==" not in need}
    if base != PROMISED:
        problems.append(f"dependencies: expected {sorted(PROMISED)}, got {sorted(base)}")
    package = importlib.import_module("convo_replay")
    if Path(sys.prefix) not in Path(str(package.__file__)).parents:
        problems.append(f"convo_replay was imported from {package.__file__}, outside of {sys.prefix}")
    for name in ("convo_replay", "convo_replay.plugin", "convo_replay.cli"):
        importlib.import_module(name)
    missing = [name for name in package.__all__ if not hasattr(package, name)]
    if missing:
        problems.append(f"convo_replay lacks {missing}")
    for problem in problems:
        print(f"{wheel}: {problem}", file=sys.stderr)
    print(f"{wheel}: {len(names)} files, {'bad' if problems else 'good'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
