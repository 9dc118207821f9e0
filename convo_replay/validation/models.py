"""Which model a request names, as far as rules depend on it.

Names come in many spellings: `claude-opus-4-7`, `claude-3-5-haiku-20241022` (version before family),
`us.anthropic.claude-sonnet-4-5-20250929-v1:0` (Bedrock), `claude-opus-4-5@20251101` (Vertex),
`anthropic/claude-sonnet-4.5` (gateways). One that says nothing (a deployment's name, an alias of a
gateway) is known to be unknown: a rule that depends on the model then says nothing, too.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_NEW = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?![\d])")
_OLD = re.compile(r"claude-(?P<major>\d)(?:[-.](?P<minor>\d))?-(?P<family>opus|sonnet|haiku)")
_ANCIENT = re.compile(r"claude-(?:v|instant-)?(?P<major>[12])(?:[.-](?P<minor>\d))?")
FAMILIES = frozenset({"", "opus", "sonnet", "haiku", "fable", "mythos"})


@dataclass(frozen=True, slots=True)
class Model:
    """A model's name, taken apart.

    Attributes:
        name: as sent.
        family: `opus`, `sonnet`, `haiku`, `fable`, `mythos` …; empty where it is no Claude.
        version: `(4, 7)`; `(0, 0)` where the name holds none (`claude-mythos-preview`).
    """

    name: str
    family: str = ""
    version: tuple[int, int] = (0, 0)

    @property
    def known(self) -> bool:
        """Whether it is a Claude of a known version."""
        return self.version != (0, 0)

    def at_least(self, major: int, minor: int = 0) -> bool:
        """Whether it is known and of this version or a later one."""
        return self.known and self.version >= (major, minor)

    def below(self, major: int, minor: int = 0) -> bool:
        """Whether it is known and of an earlier version."""
        return self.known and self.version < (major, minor)


@functools.lru_cache(64)
def model_of(name: str) -> Model:
    """The model that a name means."""
    text = name.lower()
    if "claude" not in text:
        return Model(name)
    if "mythos-preview" in text:
        return Model(name, "mythos")
    for pattern in (_OLD, _NEW, _ANCIENT):
        found = pattern.search(text)
        if found is not None:
            parts = found.groupdict()
            if parts.get("family", "") not in FAMILIES:
                return Model(name, parts["family"])  # whatever its number means
            return Model(name, parts.get("family") or "claude", (int(parts["major"]), int(parts["minor"] or 0)))
    return Model(name)
