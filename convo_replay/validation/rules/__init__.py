"""The rules of conversations (protocol.md §3), one file each. A new one is a new file here.

A module has one `RULE` and one function `check(asked) -> findings`; where two rules share their work
it has `RULES = {RULE: check, OTHER: check}`, and the check runs once. A rule raises nothing, whatever
the request holds: the schema has said what is malformed, a rule looks at what it understands.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable

from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Rule

Check = Callable[[Asked], Iterable[Finding]]


@functools.cache
def conversation_rules() -> dict[Rule, Check]:
    """Every rule with its check, by file name."""
    found: dict[Rule, Check] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        several: dict[Rule, Check] | None = getattr(module, "RULES", None)
        found.update(several if several is not None else {module.RULE: module.check})
    return found


@functools.cache
def rules_of(format: str) -> tuple[tuple[Check, frozenset[str]], ...]:
    """The checks of one wire format, each with what it needs (`Rule.needs`)."""
    needs: dict[Check, frozenset[str]] = {}
    for rule, check in conversation_rules().items():
        if rule.format in ("", format):
            known = needs.get(check, rule.needs)
            needs[check] = known | rule.needs if known and rule.needs else frozenset()
    return tuple(needs.items())
