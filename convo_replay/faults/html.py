"""A page in place of the answer, with status 200."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces, provider_errors
from convo_replay.faults.fault import Fault, word

_PAGE = (
    b'<!DOCTYPE html>\n<html lang="en-US">\n<head><title>Just a moment...</title>'
    b'<meta name="robots" content="noindex,nofollow"></head>\n'
    b"<body><h1>Checking if the site connection is secure</h1></body>\n</html>\n"
)


@dataclass(frozen=True)
class Html(Fault):
    """`html`: what a proxy shows a browser that it does not trust; `html:application/json`: under a false label."""

    type: str = word(
        "text/html",
        choices=("text/html", "application/json"),
        help="text/html: labelled as that; application/json: labelled as JSON",
    )

    name = "html"
    kind = "body"
    summary = "200 with an HTML page"
    whole = True
    outcomes: ClassVar = outcomes.by_word(
        **{
            label: outcomes.calls(create=said, raw="silent: no events", stream=outcomes.ASSERTION)
            for label, said in (("text/html", "result: a str, the page"), ("application/json", outcomes.BARE))
        }
    )
    source: ClassVar[str] = "rows 14, 15, 39"

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        label = provider_errors.PAGE_TYPE if self.type == "text/html" else self.type
        return pieces.answer(200, label, _PAGE, provider_errors.PAGE_HEADERS)
