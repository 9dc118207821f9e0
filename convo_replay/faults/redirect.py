"""The server sends the client elsewhere: to itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces
from convo_replay.faults.fault import Fault, word

_CODES = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Redirect(Fault):
    """`redirect`: one hop to the same URL, which answers then; `redirectx*`: a loop.

    The location is a path: the client may ask another host than was recorded. 302 and 303 make a GET of the POST that
    follows, which is another request than was recorded.
    """

    code: int = word(307, help="the status: 301, 302, 303, 307 or 308")

    name = "redirect"
    kind = "status"
    summary = "a redirect to the same URL; redirectx* never ends"
    whole = True
    outcomes: ClassVar = outcomes.every(f"normal; redirectx*: {outcomes.CONNECTION} ← httpx2.TooManyRedirects")
    source: ClassVar[str] = "row 9, §4.1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code not in _CODES:
            raise ValueError(f"redirect: code is {self.code}, expected one of {', '.join(map(str, _CODES))}")

    @classmethod
    def samples(cls) -> tuple[Redirect, ...]:
        return (cls(),)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        url = urlsplit(exchange.request.url)
        return pieces.answer(self.code, "", b"", (("location", urlunsplit(("", "", url.path or "/", url.query, ""))),))
