"""A client does not wait for ever."""

from __future__ import annotations

from collections.abc import Iterator

from convo_replay.verdict.case import Case
from convo_replay.verdict.judgement import Judgement, Rule

RULE = Rule(
    name="no-read-timeout",
    levels=("error",),
    summary="The client waits for an answer without a limit.",
    threshold="no timeout of its own, and no deadline around the call",
    why="A connection that went silent (a load balancer that forgot it, a host that was switched off) is never closed. "
    "Without a timeout the call does not come back: threads and tasks pile up, and nothing is in any log. It comes "
    "about with timeout=None, and in HTTP libraries whose default is none (requests, urllib3).",
    todo="set a timeout on reads (the SDKs have 600 s by default), or a deadline around the call",
    source="protocol.md §4.2; requests, `timeout`",
)


def check(case: Case) -> Iterator[Judgement]:
    seen: set[int | None] = set()
    for attempt in case.run.hung:
        if attempt.turn not in seen:
            seen.add(attempt.turn)
            end = attempt.exchange.end if attempt.exchange is not None else None
            waited = f"{end.phase or 'read'}: nothing comes" if end is not None else "nothing comes"
            yield RULE.found(
                attempt.turn,
                attempt.number,
                "would wait for ever",
                [f"{waited} after {attempt.taken} bytes of the answer", "the client has no timeout"],
            )
