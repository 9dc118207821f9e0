"""Every exception, and the sentences a user reads.

Two families, for a reason (design.md §2.5): what is raised *during a call* of the application is a
`BaseException`, because applications catch `Exception`, and the SDKs retry and rewrap it, so that a
miss would arrive as "Connection error." after 1.3 s. What is raised while opening, saving or
reading a file is an ordinary `Exception`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ConvoFailure(BaseException):
    """The conversation cannot go on: raised out of the application's own call."""


class CassetteMiss(ConvoFailure):
    """The application sent a request that the cassette does not answer."""


class InvalidTurn(ConvoFailure):
    """The application sent a request that the API would reject."""


class CassetteError(Exception):
    """A cassette cannot be read or written. Names file, line and reason.

    A file that raises this is left as it is: never taken for empty, never overwritten.
    """

    def __init__(self, path: object, reason: str, line: int | None = None) -> None:
        self.path = str(path)
        self.line = line
        self.reason = reason
        where = f"{self.path}:{line}" if line is not None else self.path
        super().__init__(f"{where}: {reason}")

    def __reduce__(self) -> tuple[type[CassetteError], tuple[str, str, int | None]]:
        return type(self), (self.path, self.reason, self.line)


class LeakFound(Exception):
    """A secret would have reached the file; nothing was written. Never holds the value."""

    def __init__(self, path: object, places: Sequence[tuple[str, str]]) -> None:
        self.path = str(path)
        self.places = tuple(places)
        """Pairs of (class, where): `("anthropic-key", "exchanges[2].response")`."""
        shown = "\n".join(f"  {cls} in {where}" for cls, where in self.places[:10])
        more = f"\n  … and {len(self.places) - 10} more" if len(self.places) > 10 else ""
        super().__init__(
            f"{self.path}: not saved, it would hold {len(self.places)} secret(s):\n{shown}{more}\n"
            "Name the value in `secrets=[…]` (a string, a compiled pattern or a function from text to "
            "spans) or drop it in `before_record`; the previous cassette is untouched."
        )

    def __reduce__(self) -> tuple[type[LeakFound], tuple[str, tuple[tuple[str, str], ...]]]:
        return type(self), (self.path, self.places)


raised_as: dict[type[ConvoFailure], type[ConvoFailure]] = {}
"""What is raised in place of each class. The pytest plugin puts subclasses here that are also
`pytest.fail.Exception`, so that finalizers run and hypothesis shrinks; the core knows no pytest."""


def failure(kind: type[ConvoFailure], text: str, **attributes: Any) -> ConvoFailure:
    """An instance of `kind`, or of what the test runner raises in its place."""
    made = raised_as.get(kind, kind)(text)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made
