"""Every rule of the verdict by name: what `ignore_rules` takes besides those of validation."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from convo_replay.verdict.judgement import Judgement, Rule

if TYPE_CHECKING:
    from convo_replay.verdict.case import Case

Check = Callable[["Case"], Iterable[Judgement]]
_RULES = Path(__file__).with_name("rules")


@functools.cache
def names() -> frozenset[str]:
    """The names of all rules: those of their files, none of which is imported for it."""
    return frozenset(module.name.replace("_", "-") for module in pkgutil.iter_modules([str(_RULES)]))


@functools.cache
def all_rules() -> dict[str, tuple[Rule, Check]]:
    """Each rule with its check, by name."""
    found: dict[str, tuple[Rule, Check]] = {}
    for name in sorted(names()):
        module = importlib.import_module(f"{__package__}.rules.{name.replace('-', '_')}")
        found[module.RULE.name] = (module.RULE, module.check)
    return found
