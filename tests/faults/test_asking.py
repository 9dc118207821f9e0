"""A fault of another package that does not keep its promise: an error that names it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from convo_replay.exchange import Chunk, Exchange, Steps
from convo_replay.faults import expand
from convo_replay.faults.asking import BrokenFault
from convo_replay.faults.fault import Fault
from convo_replay.faults.specs import Plan
from fault_cases import EXCHANGES

RECORDED = EXCHANGES["anthropic stream"]


@dataclasses.dataclass(frozen=True)
class Careless(Fault):
    """Does in a method what it is told to do."""

    name = "careless"
    kind = "stream"
    summary = "breaks its promise"
    fitted: Any = ""
    made: Any = None

    def fits(self, exchange: Exchange) -> str:
        return _given(self.fitted)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return _given(self.made)


def _given(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Careless(fitted=KeyError("x")), rf"fits\(\) raised KeyError: .x. at {re.escape(__file__)}:\d+; it may"),
        (Careless(made=ValueError()), rf"apply\(\) raised ValueError at {re.escape(__file__)}:\d+; it may not raise"),
        (Careless(fitted=None), r"fits\(\) returned None, expected the reason why it does not fit, or ''"),
        (Careless(made=None), r"apply\(\) returned NoneType, expected a tuple: Head\? Chunk\* End"),
        (Careless(made=[]), r"apply\(\) returned list, expected"),
        (Careless(made=(Chunk(0.0, b"x"),)), r"apply\(\) returned a tuple without an End, expected"),
    ],
)  # fmt: skip
def test_who_broke_the_promise_is_said(fault: Fault, said: str) -> None:
    with pytest.raises(BrokenFault, match=rf"^fault careless \([\w.]+\.Careless\): {said}"):
        expand([Plan((fault.at(),))], [RECORDED])
