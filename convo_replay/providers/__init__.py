"""Which wire format a request speaks. One provider, one file.

A provider says what it claims (by path and headers first, by host last: gateways live anywhere)
and puts an answer together from a stream or from JSON. Providers of other packages are found under
the entry point `convo_replay.providers`; one that has the name of a built-in takes its place. They
are read once, at the first question, and asked before the built-in ones.
"""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from convo_replay import sse
from convo_replay.exchange import Exchange, Request
from convo_replay.providers import wire
from convo_replay.providers.reply import Reply, ToolUse, Usage

__all__ = ["Provider", "Reply", "ToolUse", "Usage", "find", "providers"]

GROUP = "convo_replay.providers"
BUILT_IN = {
    # As in pyproject.toml; here too, so that a checkout without installed metadata works.
    "anthropic": "convo_replay.providers.anthropic:provider",
    "openai_chat": "convo_replay.providers.openai_chat:provider",
}


class Provider(Protocol):
    """One wire format. Every method takes a request or exchange as it was sent, or redacted, and raises nothing.

    Four attributes are optional. `format`: `anthropic` or `openai_chat`, whose rules a request and its answer must
    keep (a subclass of a built-in provider has its format); without one nothing is validated, and faults that change
    events or tool calls do not fit. `severities`: by the name of a rule of answers (`stream-unterminated`), how severe
    it is behind this gateway: `error`, `warn`, `info`. `error_headers`: a method, `status -> headers` by name, that
    says which headers come with an error: request ids, rate limits. `identifying_paths`: path of the request body →
    class of the value there (`metadata.user_id`: `user-id`), redacted whatever it looks like.

    One of another package that raises all the same fails the request with its name, where it is asked about
    a request; an answer or an event that it cannot read counts as one without an end, so that no recording is lost.
    """

    @property
    def name(self) -> str:
        """As in the entry point: `anthropic`."""

    @property
    def history(self) -> str:
        """The key of the request body's list that grows with the conversation: `messages`."""

    @property
    def terminal_events(self) -> frozenset[str]:
        """What ends a stream: event types, or whole data (`[DONE]`)."""

    @property
    def volatile_paths(self) -> tuple[str, ...]:
        """Values of the request body that identify a run or a user: `metadata.user_id`, `a[*].b`."""

    @property
    def secret_paths(self) -> tuple[str, ...]:
        """Values of the request body that are secrets: redacted at their place, and wherever else they appear."""

    @property
    def error_bodies(self) -> Mapping[int, Mapping[str, Any]]:
        """The body of an error, per status."""

    def claims(self, request: Request) -> bool:
        """Whether the request is one of this vendor's, generating or not."""

    def generates(self, request: Request) -> bool:
        """Whether the request asks a model for a turn."""

    def ends(self, event: sse.Event) -> bool:
        """Whether the event ends the stream. Nothing that a client could use follows it."""

    def reply(self, exchange: Exchange) -> Reply:
        """The answer as far as it came, from a stream or from JSON. Never raises."""


@functools.cache
def providers() -> tuple[Provider, ...]:
    """Those of other packages by name, then the built-in ones.

    Raises:
        RuntimeError: a package registers something that is no provider; says which.
    """
    registered = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    found = {point.name: point for point in registered if not point.module.startswith(__name__ + ".")}
    own = [EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items() if name not in found]
    return tuple(_load(point) for point in (*found.values(), *own))


def find(request: Request) -> Provider | None:
    """Who speaks the request's format. One that reads a turn in it goes before one that claims its host."""
    known = providers()
    for provider in known:
        if provider.generates(request):
            return provider
    return next((provider for provider in known if provider.claims(request)), None)


class _Outside:
    """A provider of another package: what it raises says whose it is, and costs no recording."""

    def __init__(self, provider: Provider, said: str) -> None:
        self._provider = provider
        self._said = said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def claims(self, request: Request) -> bool:
        return self._asked(self._provider.claims, request)

    def generates(self, request: Request) -> bool:
        return self._asked(self._provider.generates, request)

    def ends(self, event: sse.Event) -> bool:
        try:
            return self._provider.ends(event)
        except Exception as error:
            said = f"provider {self._said}: ends() raised {_quoted(error)}"
            warnings.warn(said, RuntimeWarning, stacklevel=2)
            return False

    def reply(self, exchange: Exchange) -> Reply:
        try:
            reply: Any = self._provider.reply(exchange)
            wrong = "" if isinstance(reply, Reply) else f"returned {type(reply).__name__}, expected Reply"
        except Exception as error:
            wrong = f"raised {_quoted(error)}"
        return Reply(error={"message": f"provider {self._said}: reply() {wrong}"}) if wrong else reply

    def _asked(self, method: Callable[[Request], bool], request: Request) -> bool:
        try:
            return method(request)
        except Exception as error:
            # Without its text, which may quote the request: that is not redacted yet.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise RuntimeError(
                f"provider {self._said}: {method.__name__}() raised {type(error).__name__} at {frame.filename}:"
                f"{frame.lineno} for {request.method} {wire.address(request)[1]}; it is asked about every request: "
                "fix or uninstall it"
            ) from None


def _quoted(error: Exception) -> str:
    from convo_replay.shown import quoted

    return quoted(repr(error))


def _load(point: EntryPoint) -> Provider:
    said = f"{point.name} = {point.value}" + (f" (of {point.dist.name})" if point.dist else "")
    try:
        loaded = point.load()
    except Exception as error:
        raise RuntimeError(f"entry point {GROUP}: {said} cannot be imported: {error!r}; fix or uninstall it") from error
    missing = [name for name in _MEMBERS if not hasattr(loaded, name)]
    if isinstance(loaded, type) or missing:
        wrong = f"it has no {', '.join(missing)}" if missing else "it is a class, not an instance of it"
        raise RuntimeError(f"entry point {GROUP}: {said} is no Provider: {wrong}")
    return cast(Provider, loaded if point.module.startswith(__name__ + ".") else _Outside(loaded, said))


_MEMBERS = (
    "name", "history", "terminal_events", "volatile_paths", "secret_paths", "error_bodies",
    "claims", "generates", "ends", "reply",
)  # fmt: skip
