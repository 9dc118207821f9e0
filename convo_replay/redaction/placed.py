"""Values of a JSON body that are known by their place: tokens for MCP servers, ids of users, of requests.

Which places is said by the provider (`secret_paths`, `identifying_paths`); a body that no provider claims has
the places of all built-in ones. Places lie outside of the history, which grows with every request: what stands
in messages is found by its look. A value at its place is replaced whatever it looks like; one that can be
looked for without hitting words is learned, too, and then found wherever else it appears.

Source: protocol.md §5; OpenAI Responses (`openai` 3.54 `types/responses/`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convo_replay.normalizing import parse_path, replaced
from convo_replay.redaction import placeholders, urls
from convo_replay.redaction.headers import credential_values, is_distinctive, is_secret

if TYPE_CHECKING:
    from convo_replay.providers import Provider
    from convo_replay.redaction.values import Values

Path = tuple[str | int, ...]

SECRET = "api-key"
IN_ANSWERS = {
    "request_id": "request-id",
    "requestId": "request-id",
    "error.request_id": "request-id",
    "user": "user-id",
    "safety_identifier": "user-id",
    "prompt_cache_key": "user-id",
    "response.user": "user-id",
    "response.safety_identifier": "user-id",
    "response.prompt_cache_key": "user-id",
    "container.id": "container-id",
    "message.container.id": "container-id",
    "delta.container.id": "container-id",
    "organization_id": "organization-id",
    "organization_uuid": "organization-id",
    "account_uuid": "account-id",
    "account.uuid": "account-id",
    "organization.uuid": "organization-id",
}
"""Of bodies of answers and of the events of a stream: what the API repeats of the request, or tells of the account."""
_NAMES_IN_ANSWERS = tuple(dict.fromkeys(f'"{path.removesuffix(".id").split(".")[-1]}"' for path in IN_ANSWERS))
"""Of each path a key that few answers have: nearly all have an `id`."""
_URLS = ("mcp_servers[*].url", "tools[*].server_url")
_HEADERS = "tools[*].headers"


def found(provider: Provider | None, body: Any, *, response: bool = False) -> Iterator[tuple[Path, str]]:
    """Pairs (path, class) of the texts in a JSON body that are known by their place.

    Args:
        provider: who claims the request; `None` where nobody does.
        body: of the request, or of its answer, or one event of that.
        response: which of the two.
    """
    if isinstance(body, dict):
        for steps, cls in _answered() if response else _asked(provider):
            if steps[0] in body:
                for path, value in _texts(body, steps):
                    if value:
                        yield path, cls


def is_placed(value: Any, values: Values) -> bool:
    """Whether an answer, or an event of one, holds a value that is redacted for its place."""
    return any(values.policy(cls) != "keep" for _, cls in found(None, value, response=True))


def may_hold(text: str) -> bool:
    """Whether the JSON text of an answer, or of an event, may hold a value with such a place; cheap."""
    for name in _NAMES_IN_ANSWERS:
        if name in text:
            return True
    return "\\u00" in text and '"id"' in text  # a key may be written in escapes


def redact(provider: Provider | None, body: Any, values: Values, *, response: bool = False) -> Any:
    """The body with placeholders at those places; the body itself where they are in it already."""
    made = body
    for path, cls in found(provider, body, response=response):
        value = _at(made, path)
        if values.policy(cls) == "placeholder" and not _is_placeholder(value):
            made = replaced(made, path, values.place(cls, value))
    if not response and isinstance(body, dict):
        for steps in map(parse_path, _URLS):
            for path, value in _texts(made, steps) if steps[0] in body else ():
                becomes = urls.redact(value, values.string, values.place)
                made = made if becomes is value else replaced(made, path, becomes)
        for path, value in list(_texts(made, (*parse_path(_HEADERS), "*"))) if "tools" in body else ():
            if next(credential_values(str(path[-1]), value), None) is not None and not _is_placeholder(value):
                made = replaced(made, path, values.place(SECRET, value))
    return made


def learnable(provider: Provider | None, body: Any) -> Iterator[tuple[str, str]]:
    """Pairs (value, class) of a request's body that are to be looked for everywhere from now on."""
    if not isinstance(body, dict):
        return
    for path, cls in found(provider, body):
        value = _at(body, path)
        if is_secret(value) if cls == SECRET else is_distinctive(value):
            yield value, cls
    for steps in map(parse_path, _URLS):
        for _, value in _texts(body, steps) if steps[0] in body else ():
            yield from urls.credentials(value)
    for path, value in _texts(body, (*parse_path(_HEADERS), "*")) if "tools" in body else ():
        yield from credential_values(str(path[-1]), value)


def _is_placeholder(value: str) -> bool:
    return placeholders.PLACEHOLDER.fullmatch(value) is not None


@functools.cache
def _answered() -> tuple[tuple[Path, str], ...]:
    return tuple((parse_path(path), cls) for path, cls in IN_ANSWERS.items())


def _asked(provider: Provider | None) -> tuple[tuple[Path, str], ...]:
    """Paths and classes of what a provider names; of the built-in ones together for none."""
    if provider is not None:
        identifying: Mapping[str, str] = getattr(provider, "identifying_paths", None) or {}
        return _parsed(tuple(provider.secret_paths), tuple(identifying.items()))
    from convo_replay.providers import anthropic, openai_chat

    return (*_asked(anthropic.provider), *_asked(openai_chat.provider))


@functools.cache
def _parsed(secret: tuple[str, ...], identifying: tuple[tuple[str, str], ...]) -> tuple[tuple[Path, str], ...]:
    return tuple((parse_path(path), cls) for path, cls in (*((path, SECRET) for path in secret), *identifying))


def _texts(value: Any, steps: Path, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The strings at a path whose `*` stands for every key or index."""
    if not steps:
        if isinstance(value, str):
            yield path, value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        for key in list(value) if step == "*" else [step] if step in value else []:
            yield from _texts(value[key], rest, (*path, key))
    elif isinstance(value, list):
        for index in _leading(value, rest) if step == "*" else [step] if isinstance(step, int) else []:
            if index < len(value):
                yield from _texts(value[index], rest, (*path, index))


def _leading(value: list[Any], rest: Path) -> Sequence[int]:
    """The indexes of a list from which a path may go on: of a request's tools, most often none."""
    if not rest or rest[0] == "*" or isinstance(rest[0], int):
        return range(len(value))
    return [index for index, item in enumerate(value) if isinstance(item, dict) and rest[0] in item]


def _at(value: Any, path: Path) -> str:
    for step in path:
        value = value[step]
    text: str = value
    return text
