"""Every rule there is, by name: what `ignore_rules` takes and what `check --rules` lists."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable

from convo_replay.validation.findings import Rule
from convo_replay.verdict import catalogue as judged


@functools.cache
def all_rules() -> dict[str, Rule]:
    """The rules of schema, answers, streams and conversations, in the order of their rows and names."""
    from convo_replay.validation import history, responses, schema, tool_inputs
    from convo_replay.validation.rules import conversation_rules

    known = [*schema.RULES, *responses.RULES, *tool_inputs.RULES, *conversation_rules(), history.FAILED, history.UNREAD]
    return {rule.name: rule for rule in sorted(known, key=lambda rule: (_row(rule.number), rule.name))}


def unknown(names: Iterable[str]) -> str:
    """What is wrong with names of rules: which does not exist, and which is near; empty where all exist.

    Those of the verdict on fault runs are names, too.
    """
    known = sorted(all_rules().keys() | judged.names())
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            meant = f"; do you mean {' or '.join(near)}?" if near else ""
            return f"there is no rule {name!r}{meant} (all: convo-replay check --rules; of fault runs: docs/verdict.md)"
    return ""


def _row(number: str) -> tuple[str, int, str]:
    letters = number.rstrip("0123456789")
    digits = number[len(letters) :]
    return letters, int(digits) if digits else 0, number
