"""What a failed attempt says about asking again: whether, and when."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from convo_replay.exchange import Exchange
from convo_replay.verdict.case import status_of
from convo_replay.verdict.evidence import Attempt

RETRIED = frozenset({408, 409, 429})
"""Statuses below 500 after which the SDKs ask again."""
PASSING = RETRIED | {425}
"""Those that may be another one next time."""
PATIENCE = 120.0
"""Seconds: openai's SDK does not ask again where it would have to wait longer (`MAX_RETRY_AFTER_DELAY`)."""


def asked_to_wait(attempt: Attempt) -> float | None:
    """Seconds that the answer asks for before the next attempt: `retry-after-ms`, else `retry-after`, in seconds or as
    a date beside its `date`. `None` where it asks for nothing that can be understood; as the SDKs read it."""
    played = attempt.exchange
    if played is None or (played.status or 0) < 300:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = played.header(name)
        if given is not None:
            try:
                seconds = float(given) * unit
            except ValueError:
                continue
            return seconds if math.isfinite(seconds) and seconds >= 0 else None
    return _until(played)


def _until(played: Exchange) -> float | None:
    try:
        then = parsedate_to_datetime(played.header("retry-after") or "")
        now = parsedate_to_datetime(played.header("date") or "")
        return max((then - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def is_final(attempt: Attempt) -> bool:
    """Whether the answer says that asking the same again is in vain."""
    played, status = attempt.exchange, status_of(attempt)
    if played is None or status is None:
        return False
    said = (played.header("x-should-retry") or "").strip().lower()
    if said in ("true", "false"):
        return said == "false" and status >= 400
    return 400 <= status < 500 and status not in PASSING


def is_retryable(attempt: Attempt, *, streamed: bool) -> bool:
    """Whether it is a failure after which the SDKs themselves ask again: before an answer began, or in the body of one
    that is no stream (protocol.md §4.2)."""
    played, status = attempt.exchange, status_of(attempt)
    if played is None:
        return False
    if status is None:
        return True
    if status < 300:
        return not streamed and attempt.state == "raised"
    said = (played.header("x-should-retry") or "").strip().lower()
    if (asked_to_wait(attempt) or 0.0) > PATIENCE:
        return False
    return said == "true" or (said != "false" and (status in RETRIED or status >= 500))
