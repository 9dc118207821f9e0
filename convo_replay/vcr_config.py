"""What a project says to vcrpy, as settings of ours: `vcr_config`, the marker's arguments, its own matchers.

vcrpy itself puts it together: a real `vcr.VCR` takes the settings, the project's hook may change it, and
`get_merged_config` gives the filters in their order and the matchers by name. What comes out is translated
here: into names and callables of `match_on`, into `filters` of the conversation, and into the path.

Each setting of vcrpy's is honoured, or has no effect in pytest-recording either (then a note says so), or is
refused with an error that names it, where it was said, and what to do instead. Nothing is dropped silently.

Source: vcrpy 9.4, `config.py`, `cassette.py`, `matchers.py`; pytest-recording 0.14, `_vcr.py`.
"""

from __future__ import annotations

import hashlib
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vcr
from vcr import filters as vcr_filters
from vcr import matchers
from vcr.persisters.filesystem import FilesystemPersister
from vcr.record_mode import RecordMode
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

from convo_replay.cassette import Cassette, load, stored
from convo_replay.errors import CassetteError, shown_path
from convo_replay.exchange import End, Exchange, Head, Json, Request
from convo_replay.matching import Fingerprints
from convo_replay.redaction.placeholders import classes_only
from convo_replay.vcr_messages import VcrRequest, request_of, vcr_response, with_response

Layer = tuple[str, Mapping[str, Any]]
"""Where settings were said, and the settings."""

HONOURED = frozenset({
    "additional_matchers", "allow_playback_repeats", "allowed_hosts", "before_record", "before_record_request",
    "before_record_response", "cassette_library_dir", "decode_compressed_response", "filter_headers",
    "filter_nested_post_data_parameters", "filter_post_data_parameters", "filter_query_parameters", "ignore_hosts",
    "ignore_localhost", "match_on", "path_transformer", "persister", "record_mode", "serializer",
})  # fmt: skip
WITHOUT_EFFECT = {
    "func_path_generator": "the path is always given",
    "inject_cassette": "the fixture `vcr` is the cassette",
    "record_on_exception": "what a failing test records is marked as failed and recorded again",
    "with_current_defaults": "the cassette is opened at once",
}
"""Settings that pytest-recording passes on and that change nothing there either, with the reason."""
REFUSED = {
    "after_load_interaction": "change what is loaded in before_record_request and before_record_response",
    "before_save_interaction": "name it before_record in convo_config: a callable Exchange -> Exchange or None",
    "custom_patches": "it patches vcrpy's own stubs into other libraries; leave this test to pytest-recording",
    "drop_unused_requests": "a cassette of vcrpy's is never written; --record-mode=rewrite records what is still used",
    "filter_sensitive_data": "name the values in convo_config: secrets=[…] keeps them out of every recording",
    "path": "name the cassette with @pytest.mark.default_cassette",
    "skip_patchers": "name the hosts that are to be reached in ignore_hosts",
}
"""Settings that would mean something else here, with what to do instead."""

MODES = ("none", "once", "new_episodes", "all", "rewrite")
MAX_NAME = 255
"""Characters of a file name: what pytest-recording falls back to where the system does not say."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What one test's settings come to.

    Attributes:
        path: the cassette.
        record: `none once new_episodes all rewrite`.
        match_on: for `Config.match_on`.
        repeats: whether an exchange may be played again and again.
        filters: for the conversation; `None` where nothing is filtered.
        functions: vcrpy's matchers, for whoever compares vcrpy's own requests.
        load: reads a cassette; `None` where the project does not read its own way.
        notes: what was said and has no effect, one line each.
    """

    path: Path
    record: str
    match_on: tuple[str | Callable[..., Any], ...]
    repeats: bool
    filters: VcrFilters | None
    functions: tuple[Callable[..., Any], ...]
    load: Callable[[Path], Cassette] | None
    notes: tuple[str, ...]


class FilterError(Exception):
    """A callable of the project's raised, or returned what it may not. The text names it and the place."""


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """All settings, the last layer strongest, as pytest-recording merges them.

    Raises:
        ValueError: a layer is no mapping; says where.
    """
    settings: dict[str, Any] = {}
    for index, (where, layer) in enumerate(layers):
        if not isinstance(layer, Mapping):
            raise ValueError(f"{where}: expected a dict, got {type(layer).__name__}")
        # The first one copied, as there: what a filter remembers is forgotten with the test.
        settings.update(layer if index else deepcopy(dict(layer)))
    return settings


def adopt(
    layers: Sequence[Layer],
    *,
    name: str,
    directory: str,
    record: str,
    configure: Callable[[Any], object],
    configured_record: bool = True,
) -> Adopted:
    """Translates what was said to vcrpy about one test's cassette.

    Args:
        layers: `vcr_config` first, then the markers, the nearest last.
        name: the cassette's name without suffix.
        directory: where it lies.
        record: the mode, unless a layer says one.
        configure: the project's hook; gets the `vcr.VCR` and may change it.
        configured_record: whether the mode that `configure` sets is heard.

    Raises:
        ValueError: a setting that is refused, or that vcrpy refuses; says where it was said.
    """
    settings = merged(layers)
    said = {key: where for where, layer in layers for key in layer}
    for key, instead in REFUSED.items():
        if settings.get(key):
            raise ValueError(_refusal(said[key], key, instead))
    asked = _mode(settings.get("record_mode", record), said.get("record_mode", "record_mode"))
    mode = "new_episodes" if asked == "rewrite" else asked  # vcrpy does not know it
    suffix = f".{settings['serializer']}" if "serializer" in settings else ".yaml"
    with _said_in(said):
        engine = vcr.VCR(
            path_transformer=vcr.VCR.ensure_suffix(suffix), cassette_library_dir=directory, record_mode=mode
        )
    if "record_mode" in settings or not configured_record:
        settings["record_mode"] = mode
    configure(engine)
    with _said_in(said):
        found = engine.get_merged_config(**settings)
    for key, instead in REFUSED.items():
        if found.get(key):
            raise ValueError(_refusal(_HOOK, key, instead))
    effective = _mode(found["record_mode"], _HOOK)
    notes = list(_without_effect(said))
    storage = _Storage(found["persister"], found["serializer"], said.get("persister", _HOOK))
    if effective != "none":
        notes += storage.notes()
    if matchers.headers in found["match_on"] and effective != "none":
        notes.append("match_on: headers: a new recording holds the headers of a short list, and is compared by these")
    names, functions = _matchers(found["match_on"])
    filters = VcrFilters(
        found["before_record_request"] if _says(engine, settings, _REQUEST_FILTERS) else None,
        found["before_record_response"] if _says(engine, settings, _RESPONSE_FILTERS) else None,
    )
    match_on = (*names, *((_Matcher(functions, filters),) if functions else ()))
    repeats = bool(found["allow_playback_repeats"])
    if repeats:
        filters.firsts = _Firsts(names, functions)
    return Adopted(
        path=Path(found["path_transformer"](_shortened(name, settings.get("serializer", ".yaml")))),
        record=asked if effective == mode else effective,
        match_on=match_on,
        repeats=repeats,
        filters=filters if filters.does_anything or functions else None,
        functions=tuple(found["match_on"]),
        load=storage.load if storage.reads else None,
        notes=tuple(notes),
    )


_REQUEST_FILTERS = (
    "filter_headers", "filter_query_parameters", "filter_post_data_parameters", "ignore_hosts", "ignore_localhost",
    "before_record_request", "before_record",
)  # fmt: skip
_RESPONSE_FILTERS = ("before_record_response",)  # bodies are decoded anyway
_HOOK = "pytest_recording_configure"


def _mode(value: Any, where: str) -> str:
    mode = str(value.value if isinstance(value, RecordMode) else value)
    if mode not in MODES:
        raise ValueError(f"{where}: record_mode: expected one of {' '.join(MODES)}, got {mode!r}")
    return mode


def _says(engine: Any, settings: Mapping[str, Any], names: Sequence[str]) -> bool:
    return any(settings.get(name, getattr(engine, name, None)) for name in names)


def _refusal(where: str, key: str, instead: str) -> str:
    return f"{where}: {key}: not with convo_adopt_vcr: {instead}"


@contextmanager
def _said_in(said: Mapping[str, str]) -> Iterator[None]:
    """What vcrpy finds wrong with a setting, with the place where it was said."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error.args[0] if error.args else error)
        words = {"serializer": "serializer", "matcher": "match_on"}
        key = next((key for word, key in words.items() if word in reason.lower()), "")
        raise ValueError(f"{said.get(key, _HOOK)}: {key and f'{key}: '}{reason}") from error


class _Storage:
    """A project's own serializer and persister: they read its cassettes; what is recorded we write our own way.

    Raises:
        ValueError: the persister keeps cassettes elsewhere than in files.
    """

    def __init__(self, persister: Any, serializer: Any, where: str) -> None:
        kind: Any = persister if isinstance(persister, type) else type(persister)
        if not issubclass(kind, FilesystemPersister):
            raise ValueError(
                _refusal(
                    where, f"persister {kind.__name__}", "cassettes are files here, and it is no FilesystemPersister"
                )
            )
        self._persister, self._serializer = persister, serializer
        self._own_serializer = serializer not in (yamlserializer, jsonserializer)
        self._own_reading = kind.load_cassette.__func__ is not FilesystemPersister.load_cassette.__func__
        self._own_writing = kind.save_cassette is not FilesystemPersister.save_cassette

    @property
    def reads(self) -> bool:
        return self._own_serializer or self._own_reading

    def notes(self) -> Iterator[str]:
        if self._own_serializer or self._own_writing:
            what = "register_serializer" if self._own_serializer else "register_persister"
            yield f"{_HOOK}: {what}: it reads cassettes, but does not write them: a recording is one of ours"

    def load(self, path: Path) -> Cassette:
        """A cassette of ours, or one that the project reads.

        Raises:
            CassetteError: it is neither.
        """
        try:
            if self._own_reading:
                found = self._persister.load_cassette(str(path), serializer=self._serializer)
            else:
                found = deserialize(path.read_text("utf-8"), self._serializer)
        except Exception as error:  # the project's code
            ours = load(path)
            if ours.format == "convo":
                return ours
            raise CassetteError(path, f"could not be read by {self._serializer!r}: {error!r}") from error
        exchanges = []
        for request, response in zip(found[0], found[1], strict=True):
            asked = request_of(request, Request("", ""))
            answered = with_response(Exchange(asked, (Head(200), End())), vcr_filters.decode_response(response))
            exchanges.append(stored(answered))
        return Cassette(exchanges=exchanges, format="vcrpy")


def _without_effect(said: Mapping[str, str]) -> Iterator[str]:
    for key, where in said.items():
        if key in WITHOUT_EFFECT:
            yield f"{where}: {key} has no effect, as in pytest-recording: {WITHOUT_EFFECT[key]}"
        elif key not in HONOURED and key not in REFUSED:
            yield f"{where}: {key!r} is no setting of vcrpy's and has no effect, as there"


def _shortened(name: str, suffix: str) -> str:
    """A name that is too long for a file, as pytest-recording cuts it; `suffix` is what it takes for one."""
    try:
        longest = os.pathconf(".", "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):
        longest = MAX_NAME
    if len(name) + len(suffix) <= longest:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: longest - len(suffix) - len(digest) - 3]}...{digest}"


# --- matching --------------------------------------------------------------------------------------

_NAMES: dict[Callable[..., Any], tuple[tuple[str, ...], bool]] = {
    matchers.method: (("method",), True),
    matchers.scheme: (("scheme",), True),
    matchers.path: (("path",), True),
    matchers.query: (("query",), True),
    matchers.body: (("body",), True),
    matchers.raw_body: (("body",), False),
    matchers.uri: (("scheme", "host", "path", "query"), False),
}
"""Names of ours that hold wherever vcrpy's matcher does, and whether it says no more than they do."""


def _matchers(wanted: Sequence[Callable[..., Any]]) -> tuple[tuple[str, ...], tuple[Callable[..., Any], ...]]:
    """vcrpy's matchers as names of ours, which are indexed, and the functions that must agree as well."""
    names: list[str] = []
    functions = []
    whole_host = {matchers.host, matchers.port} <= set(wanted)
    for function in wanted:
        if whole_host and function in (matchers.host, matchers.port):
            names.append("host")  # ours has the port in it
            continue
        ours, is_all = _NAMES.get(function, ((), False))
        names += ours
        if not is_all:
            functions.append(_headers if function is matchers.headers else function)
    return tuple(dict.fromkeys(names)), tuple(functions)


_ADDED = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "content-type", "transfer-encoding", "user-agent",
})  # fmt: skip


def _headers(asked: Any, known: Any) -> None:
    """vcrpy's `headers`, which stands above urllib and aiohttp and does not see what these add themselves."""
    sent = {name.lower(): value for name, value in asked.headers.items()}
    recorded = {name.lower(): value for name, value in known.headers.items() if name.lower() != "host"}
    for name in [name for name in sent if name in _ADDED and name not in recorded]:
        del sent[name]
    assert sent == recorded, f"headers: {sorted(sent)} and {sorted(recorded)}"


class _Matcher:
    """vcrpy's functions as one callable of `match_on`.

    They compare what vcrpy would: the filtered request, before redaction, with one that a cassette of vcrpy's
    holds. One of ours holds it redacted, so there both are compared redacted, placeholders by their class.
    """

    def __init__(self, functions: Sequence[Callable[..., Any]], filters: VcrFilters) -> None:
        self._functions = functions
        self._filters = filters
        self._known: dict[int, tuple[Request, VcrRequest]] = {}
        self.__name__ = " ".join(function.__name__ for function in functions)

    def __call__(self, recorded: Request, sent: Request) -> bool:
        redacted = self._filters.is_redacted(recorded)
        asked = VcrRequest(sent, classes_only) if redacted else self._filters.asked or VcrRequest(sent)
        held, known = self._known.get(id(recorded), (None, None))
        if held is not recorded:
            # Filtered anew, it may hold what is redacted at its place.
            known = VcrRequest(self._filters.redact(recorded), classes_only) if redacted else VcrRequest(recorded)
            self._known[id(recorded)] = recorded, known
        return bool(matchers.requests_match(asked, known, self._functions))


class _Firsts:
    """Which of several equal exchanges vcrpy plays where it may repeat: always the first."""

    def __init__(self, names: Sequence[str], functions: Sequence[Callable[..., Any]]) -> None:
        self._fingerprints = Fingerprints(names, ())
        self._functions = functions
        self._seen: dict[bytes, list[VcrRequest]] = {}

    def is_first(self, request: Request) -> bool:
        made = VcrRequest(request)
        alike = self._seen.setdefault(self._fingerprints.of(request).loose, [])
        if any(matchers.requests_match(made, known, self._functions) for known in alike):
            return False
        alike.append(made)
        return True


# --- filtering -------------------------------------------------------------------------------------


def by_value(request: Request) -> Request:
    """The request without the bytes of its JSON body, by which the player would prefer one of equal exchanges."""
    body = request.body
    if isinstance(body, Json) and body.raw is not None:
        return replace(request, body=Json(body.value))
    return request


def _unchanged(request: Request) -> Request:
    return request


@dataclass(slots=True)
class VcrFilters:
    """The project's filters as those of a conversation: vcrpy's own functions, run over vcrpy's own types.

    Args:
        before_request: `vcr.request.Request -> vcr.request.Request | None`; `None` where nothing is filtered.
        before_response: `dict -> dict | None`; `None` where nothing is filtered.
        firsts: where set, loaded exchanges that equal an earlier one are dropped.
        redact: the redacted form of a request.
    """

    before_request: Callable[[Any], Any] | None = None
    before_response: Callable[[Any], Any] | None = None
    firsts: _Firsts | None = None
    redact: Callable[[Request], Request] = _unchanged
    _sent: threading.local = field(default_factory=threading.local, init=False)
    _redacted: dict[int, Request] = field(default_factory=dict, init=False)
    _loading: bool = field(default=False, init=False)

    @property
    def does_anything(self) -> bool:
        return bool(self.before_request or self.before_response or self.firsts)

    @property
    def asked(self) -> VcrRequest | None:
        """The request that this thread has asked about last, filtered; a decision is made without a pause."""
        return getattr(self._sent, "request", None)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Inside, the exchanges are those of a file."""
        self._loading = True
        try:
            yield
        finally:
            self._loading = False

    def of_ours(self, exchanges: Iterable[Exchange]) -> None:
        """These exchanges are of a cassette of ours: their requests are redacted."""
        self._redacted.update({id(exchange.request): exchange.request for exchange in exchanges})

    def is_redacted(self, request: Request) -> bool:
        """Whether a loaded request is of a cassette of ours."""
        return id(request) in self._redacted

    def request(self, request: Request) -> Request | None:
        """The filtered request; `None` where it is left to the network.

        Raises:
            FilterError: a callable raised.
        """
        made = self._request(request)
        self._sent.request = None if made is None else VcrRequest(made)
        return None if made is None else by_value(made)

    def exchange(self, exchange: Exchange) -> Exchange | None:
        """The filtered exchange; `None` drops it.

        Raises:
            FilterError: a callable raised.
        """
        ours = self._loading and self.is_redacted(exchange.request)
        try:
            made = self._exchange(exchange)
        except FilterError:
            if not ours:
                raise
            made = exchange  # it went through them when we recorded it, and holds fewer headers than they saw
        if made is None or not self._loading:
            return made
        if ours:
            self.of_ours([made])
        return made if self.firsts is None or self.firsts.is_first(made.request) else None

    def _exchange(self, exchange: Exchange) -> Exchange | None:
        request = self._request(exchange.request)
        if request is None:
            return None
        if request is not exchange.request:
            exchange = replace(exchange, request=request)
        if self.before_response is None or exchange.head is None:
            return exchange
        with _named("before_record_response"):
            changed = self.before_response(vcr_response(exchange.head, exchange.body))
            return None if changed is None else with_response(exchange, changed)

    def _request(self, request: Request) -> Request | None:
        if self.before_request is None:
            return request
        with _named("before_record_request"):
            changed = self.before_request(VcrRequest(request))
            return request_of(changed, request) if changed else None


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """What a callable of the project's raises, with its name and its place."""
    try:
        yield
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
        place = f" ({shown_path(own[0].filename)}:{own[0].lineno}, in {own[0].name})" if own else ""
        raise FilterError(f"{setting}{place}: {error!r}") from error


_NOT_THEIRS = (str(Path(vcr.__file__).parent), str(Path(__file__).parent))
