"""Who answered: the vendor itself, or a gateway that is known to deviate (protocol.md §2.4).

A gateway's habit is still a finding, by its name; a profile sets how severe it is there. What nobody
knows is `unknown`: most gateways live on hosts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from convo_replay.exchange import Exchange, Request
from convo_replay.providers import wire
from convo_replay.validation.findings import SEVERITIES, Severity

VENDOR = "vendor"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Profile:
    """One gateway.

    Attributes:
        name: as `Rule.severities` has it.
        hosts: its own hosts; a subdomain of one is one, too.
        headers: response headers that nobody else sends; one that ends in `-` is a prefix.
        severities: by rule, where it is another one than the rule's.
    """

    name: str
    hosts: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)


VENDOR_HOSTS: Final = (
    "api.anthropic.com",
    "api.openai.com",
    # Vertex, Bedrock, Foundry (protocol.md §7).
    "aiplatform.googleapis.com",
    "claude.googleapis.com",
    "services.ai.azure.com",
)
_REGIONAL: Final = (
    # Hosts that hold the region in the middle or before a dash.
    ("", "-aiplatform.googleapis.com"),
    ("aiplatform.", ".rep.googleapis.com"),
    ("bedrock-runtime.", ".amazonaws.com"),
    ("bedrock-runtime-fips.", ".amazonaws.com"),
    ("bedrock-mantle.", ".api.aws"),
    ("aws-external-anthropic.", ".api.aws"),
)

_MANY: Final[Mapping[str, Severity]] = {
    # What many do; no client that reads the stream to its end loses anything that it cannot see.
    "stream-unterminated": "warn",  # only where the reason to stop came: without it the grammars say error
    "stream-usage-missing": "warn",
    "stream-choices-null": "warn",
    "stream-tool-call": "warn",
    "stream-role-missing": "warn",
    "stream-identity": "info",
    "stream-block-start": "warn",
    "stream-signature-missing": "warn",
    "stream-stop-reason-missing": "warn",
    "stream-tool-json": "warn",  # small models write arguments that are no JSON
    "stream-after-end": "warn",
    "response-error": "warn",
}
_STRICT: Final = frozenset({"stream-unterminated", "stream-tool-json", "stream-after-end", "response-error"})
"""What nobody is known to do to streams of the Messages API; in chat completions many do."""

PROFILES: Final[tuple[Profile, ...]] = (
    Profile(VENDOR),
    Profile("openrouter", ("openrouter.ai",), ("x-generation-id",), _MANY),
    Profile("litellm", (), ("x-litellm-",), {**_MANY, "stream-not-events": "warn"}),
    Profile(
        "azure",
        ("openai.azure.com", "cognitiveservices.azure.com"),
        (),
        # What its filters say may stand in place of the chunk with the role.
        {"stream-identity": "info", "stream-role-missing": "warn", "response-error": "warn"},
    ),
    Profile("deepseek", ("api.deepseek.com",), (), _MANY),
    Profile("new-api", (), ("x-oneapi-request-id", "x-new-api-version"), {**_MANY, "stream-order": "warn"}),
    Profile(UNKNOWN, (), (), {name: severity for name, severity in _MANY.items() if name != "response-error"}),
)
_UNKNOWN_MESSAGES: Final = {name: severity for name, severity in _MANY.items() if name not in _STRICT}
_BY_NAME: Final = {profile.name: profile for profile in PROFILES}


def is_vendor(asked: Request | Exchange) -> bool:
    """Whether the host is one of the vendor's own endpoints, clouds that resell the API included."""
    host, _ = wire.address(asked.request if isinstance(asked, Exchange) else asked)
    if any(host == own or host.endswith("." + own) for own in VENDOR_HOSTS):
        return True
    return any(
        host.startswith(before) and host.endswith(after) and len(host) > len(before) + len(after)
        for before, after in _REGIONAL
    )


def profile_of(exchange: Exchange) -> Profile:
    """Who answered. A gateway's headers tell it also behind a host of its own, and behind a loopback address."""
    if is_vendor(exchange):
        return _BY_NAME[VENDOR]
    host, _ = wire.address(exchange.request)
    names = [name for name, _ in exchange.head.headers] if exchange.head is not None else []
    for profile in PROFILES:
        if any(host == own or host.endswith("." + own) for own in profile.hosts):
            return profile
        if any(name.startswith(own) if own.endswith("-") else name == own for own in profile.headers for name in names):
            return profile
    return _BY_NAME[UNKNOWN]


def severities_of(exchange: Exchange, provider: object) -> Mapping[str, Severity]:
    """Severities by rule for an answer: those of the profile, then those that the provider brings.

    A provider of another package may have an attribute `severities`; what in it is no severity is left out.
    """
    profile = profile_of(exchange)
    known = profile.severities
    if profile.name == UNKNOWN and getattr(provider, "format", "") == "anthropic":
        known = _UNKNOWN_MESSAGES
    own: Any = getattr(provider, "severities", None)
    if not isinstance(own, Mapping):
        return known
    return {**known, **{str(name): severity for name, severity in own.items() if severity in SEVERITIES}}


def severities_for(rule: str) -> dict[str, Severity]:
    """Severities by profile for a rule, for the catalogue."""
    return {
        f"{profile.name} (chat)" if profile.name == UNKNOWN and rule in _STRICT else profile.name: severity
        for profile in PROFILES
        if (severity := profile.severities.get(rule))
    }
