"""Who has the last word on a request: the API, where it has answered (design.md §7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convo_replay.exchange import Exchange
from convo_replay.validation.findings import Finding

REPORT = "the API accepted this: please report the rule"


def graded(findings: Sequence[Finding], exchange: Exchange, *, grace: bool) -> list[Finding]:
    """The findings about an exchange's request, as severe as its answer lets them be.

    A recorded 4xx makes all of them `info`: the API has said it, or something else. With `grace`, what the
    vendor's own endpoint answered with 2xx is a warning at most: the API has the last word. What a gateway
    or a mock accepted proves nothing. What was not answered (5xx, a broken connection) is not settled: `info`
    until an attempt is.
    """
    status = exchange.status or 0
    if 400 <= status < 500 or (grace and not 200 <= status < 300):
        return [replace(finding, severity="info") for finding in findings]
    if not grace or all(finding.severity != "error" for finding in findings):
        return list(findings)
    from convo_replay.validation.gateways import is_vendor

    if not is_vendor(exchange.request):
        return list(findings)
    return [
        replace(finding, severity="warn", message=f"{finding.message} ({REPORT})")
        if finding.severity == "error"
        else finding
        for finding in findings
    ]
