"""`use_cassette`: a cassette around a block of code, sync or async, or around a function."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from convo_replay.config import Config, settings
from convo_replay.conversation import Budget, Conversation

P = ParamSpec("P")
R = TypeVar("R")

_session = Budget(0)
"""Outside pytest the session is the process; its limit is the highest that was asked for."""


class use_cassette:
    """Records to or replays from a cassette.

        with use_cassette("cassettes/weather.yaml", record="once") as convo:
            answer = agent("What's the weather in Paris?")
        assert convo.turns[0].response.tool_uses[0].name == "get_weather"

    Also as `async with`, and as a decorator of sync and async functions and generators; each call then rewinds.

    Args:
        path: the cassette's file; `None` only with `record="live"`.
        settings: see `Config`.

    Raises:
        ValueError: a setting that does not exist, or a value it cannot have.
        CassetteError: on entry, the file is no cassette; on exit, it could not be written.
        LeakFound: on exit, a secret would have reached the file.
        ConvoFailure: on exit, the first failure inside, where the block swallowed it.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, config: Config | None = None, **settings_: Any) -> None:
        self._path = None if path is None else Path(path)
        self._config = settings(("config", config), ("use_cassette", settings_))
        if self._path is None and self._config.record != "live":
            raise ValueError("use_cassette: expected the cassette's path as the first argument, got None")
        self._open: list[Conversation] = []

    def __enter__(self) -> Conversation:
        _session.limit = max(_session.limit, self._config.max_requests)
        budget = _session if "max_requests" not in self._config.model_fields_set else Budget(self._config.max_requests)
        conversation = Conversation(self._path, self._config, budget=budget)
        conversation.open()
        self._open.append(conversation)
        return conversation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        conversation = self._open.pop()
        try:
            conversation.close(failed=error is not None)
        except Exception as problem:
            if error is not None:
                problem.add_note(
                    conversation._safe(f"while the block ended with {kind.__name__ if kind else ''}: {error}")
                )
            raise
        if conversation.failure is not None and error is not conversation.failure:
            raise conversation.failure.with_traceback(None)
        if error is None and (broken := conversation.broken_answers()) is not None:
            raise broken

    async def __aenter__(self) -> Conversation:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
                async with self._fresh():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", async_wrapper)

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                with self._fresh():
                    return (yield from function(*args, **kwargs))

            return cast("Callable[P, R]", generator)

        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def async_generator(*args: Any, **kwargs: Any) -> Any:
                async with self._fresh(), contextlib.aclosing(function(*args, **kwargs)) as values:
                    async for value in values:
                        yield value

            return cast("Callable[P, R]", async_generator)

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._fresh():
                return function(*args, **kwargs)

        return wrapper

    def _fresh(self) -> use_cassette:
        return use_cassette(self._path, config=self._config)
