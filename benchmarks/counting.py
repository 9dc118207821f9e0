"""What a piece of work does, in counts that are the same on a machine of any speed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import orjson

import convo_replay
from convo_replay.redaction import Redactor

PACKAGE = str(Path(str(convo_replay.__file__)).parent)


@dataclass(slots=True)
class Counts:
    """Attributes:
    calls: our Python functions, by qualified name.
    built_in: functions written in C that ours call, by name.
    bytes: what passed through JSON and hash functions, whoever called them from Python, by `loads dumps hashed`.
    opened: paths of files that were opened.
    searched: texts that were searched for secrets.
    trust_stores: how often certificates of authorities were read into a TLS context.
    """

    calls: Counter[str] = field(default_factory=Counter)
    built_in: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    opened: list[str] = field(default_factory=list)
    searched: int = 0
    trust_stores: int = 0

    @property
    def called(self) -> int:
        return self.calls.total()


_listening: list[Counts] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _listening and isinstance(arguments[0], str):
        _listening[-1].opened.append(arguments[0])


sys.addaudithook(_hear)


def counted(work: Callable[[], Any]) -> Counts:
    """Runs it once and counts."""
    counts = Counts()

    def profile(frame: FrameType, event: str, function: Any) -> None:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return
        if event == "call":
            counts.calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            counts.built_in[function.__name__] += 1

    with _patched(counts), _redactors() as redactors:
        _listening.append(counts)
        sys.setprofile(profile)
        try:
            work()
        finally:
            sys.setprofile(None)
            _listening.pop()
    counts.searched = sum(redactor.scanned for redactor in redactors)
    return counts


@contextlib.contextmanager
def _patched(counts: Counts) -> Iterator[None]:
    def reads(original: Callable[..., Any]) -> Callable[..., Any]:
        def loads(data: Any, **options: Any) -> Any:
            counts.bytes["loads"] += len(data)
            return original(data, **options)

        return loads

    def writes(original: Callable[..., Any]) -> Callable[..., Any]:
        def dumps(value: Any, *positional: Any, **options: Any) -> Any:
            made = original(value, *positional, **options)
            counts.bytes["dumps"] += len(made)
            return made

        return dumps

    def hashes(original: Callable[..., Any]) -> Callable[..., Any]:
        def constructor(data: Any = b"", **options: Any) -> Any:
            counts.bytes["hashed"] += len(data)
            return original(data, **options)

        return constructor

    def trusts(original: Callable[..., Any]) -> Callable[..., Any]:
        def load(*positional: Any, **options: Any) -> Any:
            counts.trust_stores += 1
            return original(*positional, **options)

        return load

    with contextlib.ExitStack() as stack:
        for module, name, wrapped in (
            (orjson, "loads", reads), (orjson, "dumps", writes), (json, "loads", reads), (json, "dumps", writes),
            (hashlib, "blake2b", hashes), (hashlib, "sha256", hashes),
            (ssl.SSLContext, "load_verify_locations", trusts), (ssl.SSLContext, "load_default_certs", trusts),
        ):  # fmt: skip
            stack.enter_context(mock.patch.object(module, name, wrapped(getattr(module, name))))
        yield


@contextlib.contextmanager
def _redactors() -> Iterator[list[Redactor]]:
    made: list[Redactor] = []
    original = Redactor.__init__

    def remembered(self: Redactor, *positional: Any, **options: Any) -> None:
        original(self, *positional, **options)
        made.append(self)

    with mock.patch.object(Redactor, "__init__", remembered):
        yield made
