"""Whether an exception is the fault's: what it produced, or what was made of that."""

from __future__ import annotations

import asyncio
import dis
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from convo_replay import sse
from convo_replay.errors import ConvoFailure
from convo_replay.verdict.completion import Delivered
from convo_replay.verdict.evidence import Attempt, Run

CLIENTS: Final = frozenset(
    {
        "aiohttp", "anthropic", "anyio", "botocore", "google", "h11", "h2", "httpcore", "httpcore2", "httplib2",
        "httpx", "httpx2", "httpx_aiohttp", "httpx_sse", "litellm", "openai", "requests", "tornado", "urllib3",
    }
)  # fmt: skip
"""SDKs and HTTP libraries: what is raised in them while a fault is about is the fault's."""
_TRANSPARENT: Final = frozenset({"convo_replay", "vcr", "pydantic", "pydantic_core", "pydantic_settings"})
"""What stands between one of these and the error it raises."""
_OF_HTTP: Final = frozenset({"http", "urllib"})
"""Modules of the standard library whose exceptions are about HTTP alone."""
_RUNNERS: Final = frozenset({"_pytest", "pytest", "hypothesis", "syrupy", "pluggy"})
_RAISE: Final = dis.opmap["RAISE_VARARGS"]
EXTENSION: Final = "convo_replay_fault"
"""Under which a response says which faulted attempt it is of."""


def is_deliberate(error: BaseException) -> bool:
    """Whether somebody raised the exception with a `raise`: a client that says that an answer is not whole.

    An operation that failed on half an answer (an attribute of None, a missing key) and an assertion are none.
    """
    if isinstance(error, AssertionError | ConvoFailure) or not isinstance(error, Exception):
        return False
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or traceback.tb_lasti < 0:
        return False
    frame = traceback.tb_frame
    package = str(frame.f_globals.get("__name__") or "").partition(".")[0]
    if package in sys.stdlib_module_names or package in _RUNNERS:
        return False
    return frame.f_code.co_code[traceback.tb_lasti] == _RAISE


def is_fault(error: BaseException, run: Run) -> bool:
    """Whether the exception, one in its cause or context chain, or one of its group, comes of a fault of the run."""
    hit = [attempt for attempt in run.attempts if attempt.faults]
    if not hit:
        return False
    texts: list[str] = []
    return any(_comes_of(one, hit, texts) for one in chain(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, those it came of, and those in groups among them, each once."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [before for before in (one.__context__, one.__cause__) if before is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _comes_of(error: BaseException, hit: list[Attempt], texts: list[str]) -> bool:
    if isinstance(error, ConvoFailure):
        return False
    if any(error is attempt.raised for attempt in hit) or _is_of_response(error, hit):
        return True
    if isinstance(error, TimeoutError | asyncio.CancelledError) or type(error).__name__ == "TooSlowError":
        # The application's own deadline, which a client that still waits for a faulted answer runs into.
        return any(attempt.state in ("open", "left") and _is_unfinished(attempt) for attempt in hit)
    if type(error).__module__.partition(".")[0] in _OF_HTTP:
        return True
    return _is_of_text(error, hit, texts) or _raised_in(error.__traceback__) in CLIENTS


def _is_of_response(error: BaseException, hit: list[Attempt]) -> bool:
    extensions = getattr(getattr(error, "response", None), "extensions", None)
    attempt = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    return any(attempt is each for each in hit)


def _is_unfinished(attempt: Attempt) -> bool:
    return attempt.exchange is not None and Delivered(attempt).how == "no"


def _is_of_text(error: BaseException, hit: list[Attempt], texts: list[str]) -> bool:
    """Whether the text that could not be read is what a faulted answer held: all of it, one event's, a tool's input."""
    if isinstance(error, UnicodeDecodeError):
        bad = bytes(error.object)
        return bool(bad) and any(bad in attempt.exchange.body for attempt in hit if attempt.exchange is not None)
    document: Any = getattr(error, "doc", None)
    if not isinstance(error, ValueError) or not isinstance(document, str | bytes):
        return False
    if not texts:
        texts += [text for attempt in hit if attempt.exchange is not None for text in _texts(attempt)]
    said = document if isinstance(document, str) else document.decode("utf-8", "replace")
    return said in texts


def _texts(attempt: Attempt) -> Iterator[str]:
    delivered = Delivered(attempt)
    body = delivered.exchange.body
    yield body.decode("utf-8", "replace")
    if delivered.streamed:
        yield from (data for _, data in sse.received(body) if data)
    yield from (use.raw_input for use in delivered.reply.tool_uses)
    if delivered.reply.text:
        yield delivered.reply.text


def _raised_in(traceback: TracebackType | None) -> str:
    """The package of the innermost frame that is not the standard library's."""
    found = ""
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__") or "").partition(".")[0]
        if name and name not in sys.stdlib_module_names and name not in _TRANSPARENT:
            found = name
        traceback = traceback.tb_next
    return found
