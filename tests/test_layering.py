"""The core does no I/O and knows no client, and pytest pays for the plugin only when it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CORE = [
    "bodies", "errors", "exchange", "matching", "player", "providers", "providers.anthropic", "providers.openai_chat",
    "redaction", "sse", "turns", "validating", "validation.catalogue", "validation.history", "verdict.judging",
]  # fmt: skip
OUTSIDE = {"anthropic", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "pytest", "vcr", "yaml"}


def run(code: str) -> set[str]:
    """The top-level modules that `code` prints as JSON, from a fresh interpreter."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout))


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_no_client_no_runner_and_no_parser(module):
    loaded = run(
        f"import json, sys\nimport convo_replay.{module}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert loaded & OUTSIDE == set()


def test_validators_of_schemas_are_imported_when_something_is_validated():
    loaded = run(
        "import json, sys\nimport convo_replay.validating, convo_replay.validation.catalogue as catalogue\n"
        "catalogue.all_rules()\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert loaded & (OUTSIDE | {"jsonschema", "jsonschema_rs", "rich"}) == set()


def test_no_fault_imports_a_client_or_what_prints_it():
    loaded = run(
        "import json, sys\nfrom convo_replay.faults.catalogue import catalogue\ncatalogue()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert loaded & (OUTSIDE | {"hypothesis", "jsonschema", "jsonschema_rs", "rich"}) == set()


def test_the_plugin_imports_only_pytest_and_the_standard_library():
    added = run(
        "import json, sys\nimport pytest\nbefore = set(sys.modules)\nimport convo_replay.plugin\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    assert added - set(sys.stdlib_module_names) == {"convo_replay"}
