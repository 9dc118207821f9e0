"""The settings of a conversation, and how layers of them combine (design.md §2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

RecordMode = Literal["none", "once", "new_episodes", "all", "rewrite", "live"]
RECORD_MODES: tuple[str, ...] = ("none", "once", "new_episodes", "all", "rewrite", "live")
MATCHERS = ("method", "scheme", "host", "path", "query", "body", "headers")

_HOST = re.compile(r"(?:[^\s/:@\[\]]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*")

Host = str | Callable[..., Any]
"""`api.example.com`, `127.0.0.1:4000`, or a callable `Request -> bool`."""


class Config(BaseModel):
    """Settings of one conversation. Unknown names and wrong values are refused with the choice there is.

    Attributes:
        record: the record mode: `none once new_episodes all rewrite live`.
        match_on: names among `method scheme host path query body headers`, or callables
            `(recorded: Request, sent: Request) -> bool`.
        normalize: preset names (`default`) or pairs `(json path, replacement)`.
        secrets: strings, compiled patterns, or callables `text -> [(start, end), …]`. Strings and patterns that are
            found in the API's own words (`role`, `content`) are refused.
        redact: class → `keep`, `placeholder` or `drop`, where that is not what the table of docs/redaction.md says.
        sanitize: `on`, or `off` (outside a git work tree only).
        keep: kinds of attempts kept though a later one made them good: `errors` (401, 403, 429, 5xx).
        repeats: whether an exchange may be played more than once.
        unplayed: what recorded exchanges that were not asked for mean: `error warn ignore`.
        timing: `none`, `recorded`, or a factor on the recorded gaps.
        intercept: hosts claimed beyond what the providers recognize.
        ignore: hosts never claimed (one's own server under test).
        passthrough: hosts that may be reached although a cassette replays.
        before_record: callables `Exchange -> Exchange | None`, on the redacted form.
        validate: what a turn that the API would reject means: `error warn off`. The attribute is
            `validate_`, because pydantic has a method of that name.
        ignore_rules: names of rules that say nothing (`convo-replay check --rules` lists them).
        max_requests: live requests that a session may make.
        retry_modules: modules whose waits are skipped while a cassette replays, beyond the SDKs, tenacity, backoff
            and stamina.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    record: RecordMode = "none"
    match_on: tuple[str | Callable[..., Any], ...] = ("method", "path", "query", "body")
    normalize: tuple[str | tuple[str, Any], ...] = ("default",)
    secrets: tuple[str | re.Pattern[str] | Callable[..., Any], ...] = Field(default=(), repr=False)
    redact: Mapping[str, Literal["keep", "placeholder", "drop"]] = Field(default_factory=dict)
    sanitize: Literal["on", "off"] = "on"
    keep: tuple[Literal["errors"], ...] = ()
    repeats: bool = False
    unplayed: Literal["error", "warn", "ignore"] = "warn"
    timing: Literal["none", "recorded"] | float = "none"
    intercept: tuple[Host, ...] = ()
    ignore: tuple[Host, ...] = ()
    passthrough: tuple[Host, ...] = ()
    before_record: tuple[Callable[..., Any], ...] = ()
    validate_: Literal["error", "warn", "off"] = Field(default="error", alias="validate")
    ignore_rules: tuple[str, ...] = ()
    max_requests: int = Field(default=200, ge=0)
    retry_modules: tuple[str, ...] = ()
    cassette_dir: Path | None = None

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ValueError(_told(error, dict.fromkeys(given, "Config"))) from None

    def __repr__(self) -> str:
        from convo_replay.redaction import Redactor, environment

        # A callable may be a `partial` of what it looks for.
        return Redactor(environment.current(), self.secrets).text(super().__repr__())

    __str__ = __repr__

    @field_validator("sanitize", mode="before")
    @classmethod
    def _sanitize_word(cls, value: Any) -> Any:
        # YAML and ini readers turn `on` and `off` into booleans; so do people.
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("validate_", mode="before")
    @classmethod
    def _validate_word(cls, value: Any) -> Any:
        return {True: "error", False: "off"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("redact", mode="before")
    @classmethod
    def _known_classes(cls, value: Any) -> Any:
        from convo_replay.redaction.overriding import overrides

        return overrides(value)

    @field_validator("ignore_rules")
    @classmethod
    def _known_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value:
            from convo_replay.validation.catalogue import unknown

            problem = unknown(value)
            if problem:
                raise ValueError(problem)
        return value

    def said(self) -> dict[str, Any]:
        """What was given, under the names that users write."""
        fields = type(self).model_fields
        return {fields[name].alias or name: getattr(self, name) for name in self.model_fields_set}

    @field_validator(
        "match_on", "normalize", "secrets", "keep", "intercept", "ignore", "passthrough", "before_record",
        "ignore_rules", "retry_modules", mode="before",
    )  # fmt: skip
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) or callable(value) or isinstance(value, re.Pattern) else value

    @field_validator("secrets")
    @classmethod
    def _not_the_api_s_words(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if value:
            from convo_replay.api_words import problem

            if told := problem(value):
                raise ValueError(told)
        return value

    @field_validator("intercept", "ignore", "passthrough")
    @classmethod
    def _hosts(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for name in value:
            if isinstance(name, str) and not _HOST.fullmatch(name):
                raise ValueError(f"expected `host`, `host:port` or a callable, got {name!r}")
        return value

    @field_validator("match_on")
    @classmethod
    def _known_matchers(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for name in value:
            if isinstance(name, str) and name not in MATCHERS:
                raise ValueError(f"{name!r} is no matcher; there are {' '.join(MATCHERS)}, and callables")
        return value

    @field_validator("normalize")
    @classmethod
    def _known_presets(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for name in value:
            if isinstance(name, str) and name != "default":
                raise ValueError(f"{name!r} is no preset; there is 'default', and pairs (json path, replacement)")
        return value

    @field_validator("timing")
    @classmethod
    def _factor_is_not_negative(cls, value: Any) -> Any:
        if isinstance(value, float) and not 0 <= value < float("inf"):
            raise ValueError("a factor on the recorded gaps is a finite number of at least 0")
        return value


SETTINGS: tuple[str, ...] = tuple(sorted(field.alias or name for name, field in Config.model_fields.items()))
"""The names of all settings."""


def added(said: Mapping[str, Any], name: str, value: Any) -> Any:
    """A setting's value over what was said of it before: of `redact`, what a layer does not name stays as it was."""
    before = said.get(name)
    merges = name == "redact" and isinstance(before, Mapping) and isinstance(value, Mapping)
    return {**before, **value} if merges else value  # type: ignore[dict-item]


def settings(*layers: tuple[str, Mapping[str, Any] | Config | None]) -> Config:
    """One `Config` of layers, the weakest first; each is `(where it was said, its settings)`.

    Raises:
        ValueError: a setting that does not exist or has a value it cannot have; says where it was
            said, what came, and what would fit. A value of `secrets` is never part of the text.
    """
    merged: dict[str, Any] = {}
    said_in: dict[str, str] = {}
    for where, layer in layers:
        if layer is None:
            continue
        if isinstance(layer, Config):
            given: Mapping[str, Any] = layer.said()
        elif isinstance(layer, Mapping):
            given = layer
        else:
            raise ValueError(f"{where}: expected a dict or a Config, got {type(layer).__name__}")
        for name, value in given.items():
            merged[name] = added(merged, name, value)
            said_in[name] = where
    made = Config.__new__(Config)
    try:
        BaseModel.__init__(made, **merged)
    except ValidationError as error:
        raise ValueError(_told(error, said_in)) from None
    return made


def _told(error: ValidationError, said_in: Mapping[str, str]) -> str:
    first_of = {problem["loc"][:1]: problem for problem in reversed(error.errors())}
    text = "\n".join(_explain(problem, said_in) for problem in reversed(first_of.values()))
    from convo_replay.shown import quoted

    return quoted(text)  # a URL with its password, a key in place of a name


_EXPECTED = {
    "match_on": "names among " + " ".join(MATCHERS) + ", and callables (recorded, sent) -> bool",
    "normalize": "'default' and pairs (json path, replacement)",
    "secrets": "strings, compiled patterns, or callables text -> [(start, end), …]",
    "redact": "a dict of classes, what becomes of each: {'email': 'keep'}",
    "sanitize": "'on' or 'off'",
    "keep": "'errors', or nothing",
    "repeats": "True or False",
    "timing": "'none', 'recorded', or a factor of at least 0",
    "before_record": "callables Exchange -> Exchange or None",
    "max_requests": "a number of at least 0",
    "unplayed": "one of error warn ignore",
    "record": "one of " + " ".join(RECORD_MODES),
    "validate": "one of error warn off",
    "ignore_rules": "names of rules",
    "cassette_dir": "a directory",
    "retry_modules": "names of modules, e.g. 'my_app.retries'",
} | dict.fromkeys(("intercept", "ignore", "passthrough"), "hosts, host:port, or callables Request -> bool")


def _explain(problem: Any, said_in: Mapping[str, str]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    where = said_in.get(name, "settings")
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no setting {name!r}; there are {', '.join(SETTINGS)}"
    if problem["type"] == "value_error":
        return f"{where}: {name}: {problem['ctx']['error']}"
    came = "" if name == "secrets" else f", got {problem['input']!r}"
    return f"{where}: {name}: expected {_EXPECTED[name]}{came}"


def _one_name(host: str) -> str:
    """This machine's addresses by one name: `localhost:8000` and `127.0.0.1:8000` are the same server."""
    for name in ("127.0.0.1", "[::1]", "::1"):
        if host == name or (name != "::1" and host.startswith(f"{name}:")):
            return "localhost" + host[len(name) :]
    return host


def hosts(names: Sequence[Host]) -> Callable[[str, int | None, Any], bool]:
    """Whether a host and port (and, for callables, a request) are among `names`."""
    plain = {_one_name(name.lower()) for name in names if isinstance(name, str)}
    calls = [name for name in names if not isinstance(name, str)]

    def listed(host: str, port: int | None, request: Any) -> bool:
        host = _one_name(host.lower())
        return host in plain or f"{host}:{port}" in plain or any(call(request) for call in calls)

    return listed
