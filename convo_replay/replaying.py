"""A conversation played from its start once more, inside the test that it belongs to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from convo_replay import errors
from convo_replay.errors import ConvoFailure
from convo_replay.faults import specs

if TYPE_CHECKING:
    from convo_replay.conversation import Conversation
    from convo_replay.faults.specs import Plan
    from convo_replay.verdict.evidence import Expected


def plan_of(faults: Any) -> Plan | None:
    """The one run that a spec stands for; `None` for no faults.

    Raises:
        ValueError: it is no spec, or stands for several runs.
    """
    if faults is None:
        return None
    plans = specs.parse(faults)
    if len(plans) != 1:
        raise ValueError(
            f"replay: expected the faults of one run, got {len(plans)}: {' '.join(map(str, plans))}; "
            "join them with `+`, or replay once for each"
        )
    return plans[0]


@contextlib.contextmanager
def replay(conversation: Conversation, faults: Any, expect: Expected) -> Iterator[Conversation]:
    """See `Conversation.replay`."""
    plan = plan_of(faults)
    again = conversation.rewound(plan, expect)
    if again is None:  # nothing is recorded yet: this is how it gets recorded
        yield conversation
        return
    again.open()
    error: BaseException | None = None
    try:
        yield again
    except BaseException as raised:
        error = raised
    verdict = again.judge(error)
    again.close(failed=error is not None and not (verdict is not None and verdict.good))
    conversation.take(again)
    if verdict is not None and verdict.good:
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise error
        return
    if error is not None:
        if verdict is not None and error is not again.failure:
            error.add_note(str(verdict))
        raise error
    if again.failure is not None:
        raise again.failure.with_traceback(None)
    if verdict is not None:
        raise errors.failure(ConvoFailure, str(verdict))
