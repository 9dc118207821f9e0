"""The public names as a user's type checker sees them. Checked by mypy, never run."""

from __future__ import annotations

from pathlib import Path

import convo_replay
from convo_replay import Config, Conversation, ConvoFailure, Exchange, Turn, faults, use_cassette


def as_context_manager(path: Path) -> int:
    with use_cassette(path, record="once") as convo:
        running: Conversation = convo
    return len(running.exchanges)


async def as_async_context_manager() -> str:
    async with use_cassette("cassettes/weather.yaml") as convo:
        return convo.record


@use_cassette("cassettes/weather.yaml")
def decorated(city: str) -> float:
    return float(len(city))


@use_cassette("cassettes/weather.yaml")
async def decorated_async(city: str) -> list[str]:
    return [city]


async def what_is_decorated_keeps_its_signature() -> None:
    warm: float = decorated("Paris")
    cities: list[str] = await decorated_async("Paris")
    print(warm, cities)


def what_a_conversation_knows(convo: Conversation) -> None:
    exchanges: list[Exchange] = list(convo.exchanges)
    turns: list[Turn] = list(convo.turns)
    failure: ConvoFailure | None = convo.failure
    path: Path | None = convo.cassette_path
    live: int = convo.live_requests
    notes: list[str] = convo.notes
    print(exchanges, turns, failure, path, live, notes)


def faults_are_texts_or_objects(convo: Conversation, exchanges: list[Exchange]) -> list[str]:
    cut: faults.Spec = faults.Cut("reset").at(5, turn=1, times=None)
    slow: faults.Fault = faults.Status(429, retry_after="2")
    plan = faults.Plan((slow.at(), cut))
    parsed: tuple[faults.Plan, ...] = faults.parse(["429 529", cut, slow, plan])
    with convo.replay(faults=plan) as run:
        again: Conversation = run
    runs: list[faults.FaultRun] = faults.expand(parsed, exchanges)
    names: list[str] = [*faults.catalogue(), str(plan), again.record]
    return [*names, *(one.id for one in runs)]


def a_config() -> Config:
    return Config(record="none", secrets=("hunter2",), intercept=("gateway.example.com",))


def the_rest() -> tuple[str, type[Exception], type[BaseException]]:
    return convo_replay.__version__, convo_replay.CassetteError, convo_replay.CassetteMiss
