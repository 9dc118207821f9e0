"""What a user may say about the table of classes: the setting `redact`, class → policy (docs/redaction.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from convo_replay.redaction.classes import BY_NAME, CLASSES, Policy

POLICIES: tuple[str, ...] = get_args(Policy)

_OF_HEADERS = frozenset({
    "rate-limit", "request-id", "organization-id", "workspace-id", "user-profile-id", "openai-organization",
    "openai-project", "gcp-project",
})  # fmt: skip
"""Beyond those that are dropped by default: what whole headers hold, so that one can be left out."""
_FIXED = {
    "message-id": "is always kept: messages refer to each other by it",
    "masked": "is always kept: the value is a mask, and gives nothing away",
}


def overrides(said: Any) -> dict[str, Policy]:
    """The setting `redact`, checked.

    Raises:
        ValueError: a class or policy that does not exist, or a policy that a class cannot have; names what fits.
    """
    if not isinstance(said, Mapping):
        expected = "a dict of classes, what becomes of each: {'email': 'keep'}"
        raise ValueError(f"expected {expected}, got {type(said).__name__}")
    for cls, policy in said.items():
        problem = _problem(cls, policy)
        if problem:
            raise ValueError(problem)
    return dict(said)


def parsed(lines: Iterable[str]) -> dict[str, Policy]:
    """The same from lines `class=policy`, as an ini file has them.

    Raises:
        ValueError: see `overrides`; also a line of another form, and a class that is named twice.
    """
    said: dict[str, str] = {}
    for line in lines:
        cls, equals, policy = (part.strip() for part in line.partition("="))
        if not (cls and equals and policy):
            raise ValueError(f"expected lines class=policy, e.g. email=keep, got {line!r}")
        if said.setdefault(cls, policy) != policy:
            raise ValueError(f"{cls} is said to be {said[cls]} and {policy}")
    return overrides(said)


def _problem(cls: Any, policy: Any) -> str:
    if cls not in BY_NAME:
        near = get_close_matches(str(cls), list(BY_NAME), n=3)
        return f"there is no class {cls!r}; " + (
            f"near it: {', '.join(near)}" if near else "docs/redaction.md lists them"
        )
    if policy not in POLICIES:
        near = get_close_matches(str(policy), POLICIES, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return f"{cls}: expected one of {' '.join(POLICIES)}, got {policy!r}{meant}"
    if policy == BY_NAME[cls].policy:
        return ""
    if cls in _FIXED:
        return f"{cls} {_FIXED[cls]}"
    if policy == "keep" and gives_access(cls):
        return (
            f"{cls} gives access and cannot be kept: a cassette is made to be committed. "
            "If what is found is no such thing, take it out in before_record"
        )
    if policy == "drop" and cls not in _OF_HEADERS:
        return f"{cls} cannot be dropped, only headers can: a text would no longer say what it said. Use 'placeholder'"
    return ""


def gives_access(cls: str) -> bool:
    """Whether a value of this class opens something, rather than telling who or where."""
    return any(item.severity == "error" for item in CLASSES if item.name == cls)
