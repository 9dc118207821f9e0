"""docs/validation.md lists every rule as it is; and every rule can be read by somebody who has never seen it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from convo_replay.validation.catalogue import all_rules, unknown
from convo_replay.validation.findings import SEVERITIES, Rule

ROOT = Path(__file__).resolve().parent.parent


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules_table", ROOT / "tools" / "rules_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_tool_writes() -> None:
    written = (ROOT / "docs" / "validation.md").read_text("utf-8")
    assert written == tool().page(written, all_rules().values()), "rules changed: run `python tools/rules_table.py`"
    for name in all_rules():
        assert f"\n| `{name}` | " in written


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected the lines"):
        tool().page("# Validation\n", all_rules().values())


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.name)
def test_a_rule_can_be_looked_up(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", rule.name)
    assert rule.severity in SEVERITIES
    assert set(rule.severities.values()) <= set(SEVERITIES)
    assert rule.format in ("", "anthropic", "openai_chat")
    assert len(rule.summary) > 20
    assert "\n" not in rule.summary
    assert len(rule.why) > 60, "says what goes wrong, how it comes about, and what to do instead"
    assert rule.source


def test_rules_that_are_named_in_texts_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = re.compile(r'(?:--explain |ignore_rules=\[")([a-z]+(?:-[a-z]+)+)')
    for page in pages:
        for name in named.findall(page.read_text("utf-8")):
            assert not unknown([name]), f"{page.name}: {name}"
