"""tornado's HTTP clients, through vcrpy's stub for them.

The stub stands around `fetch_impl`, where a redirect is followed below it: a fetch is one exchange.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httpclient import HTTPResponse
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from vcr.stubs.tornado_stubs import vcr_fetch_impl

from convo_replay.call import Call
from convo_replay.errors import ConvoFailure
from convo_replay.exchange import End, EndKind, Exchange
from convo_replay.transports import guard
from convo_replay.transports.http1 import end_of, error_of, phrase, seconds_until_end
from convo_replay.transports.playing import LEFT_OPEN
from convo_replay.transports.routing import routed

if TYPE_CHECKING:
    from convo_replay.verdict.evidence import Attempt

UNSUPPORTED = (
    "a request of tornado to {host} has a {what}, and can be neither recorded nor replayed. Make it without one, or "
    "leave the host alone: ignore=[{host!r}]."
)


def fetch(original: Any, client: Any, request: Any, callback: Callable[[Any], None], watch: guard.Guard) -> None:
    """Stands in for `fetch_impl`: calls back with the recorded response, or with the live one once it is noted."""
    __tracebackhide__ = True
    headers = [(name.encode(), value.encode()) for name, value in request.headers.get_all()]
    if request.user_agent and "User-Agent" not in request.headers:
        headers.append((b"user-agent", request.user_agent.encode()))
    found = routed(request.method, request.url, headers, request.body or b"")
    if found is None:
        watch.ask_about(request.url)
        with guard.permitted():
            original(client, request, callback)
        return
    conversation, decision = found
    for what in ("body_producer", "header_callback", "streaming_callback"):
        if getattr(request, what) is not None:
            if isinstance(decision, Call):
                decision.drop()
            raise conversation.fail(ConvoFailure, UNSUPPORTED.format(host=urlsplit(request.url).hostname, what=what))
    if isinstance(decision, Call):
        with guard.permitted():  # also what it fetches next, where it is redirected
            _Cassette(decision).fetch(original, client, request, callback)
        return

    exchange, attempt = decision.exchange, decision.attempt

    def told(response: Any) -> None:
        if attempt is not None:
            attempt.delivered = len(exchange.body) if response.error is None else 0
            conversation.ended(attempt, "read" if response.error is None else "raised", response.error)
        callback(response)

    def answer() -> None:
        end = exchange.end
        conversation.read(exchange)
        if end.kind == "complete" and exchange.head is not None:
            _Cassette(exchange).fetch(original, client, request, told)
            return
        error = _error_of(end)
        if end.kind == "cancelled":
            error = conversation.fail(ConvoFailure, LEFT_OPEN.format(rerecord=conversation.rerecord))
        told(HTTPResponse(request, 599, error=error, request_time=client.io_loop.time() - request.start_time))

    if attempt is not None:
        _wait(exchange, attempt, request)
        client.io_loop.add_callback(answer)
        return
    client.io_loop.call_later(seconds_until_end(exchange, conversation), answer)


def _wait(exchange: Exchange, attempt: Attempt, request: Any) -> None:
    """Skips what a fault lets the client wait, up to its own timeout."""
    attempt.read_timeout = float(request.request_timeout)
    attempt.has_timeout = request.request_timeout > 0
    if attempt.faults:
        from convo_replay import waiting

        limit = request.connect_timeout if exchange.end.phase == "connect" else request.request_timeout
        waiting.wait(limit if exchange.end.kind == "timeout" else sum(step.at for step in exchange.steps))


def _end_of(error: BaseException) -> tuple[EndKind, str, str]:
    if isinstance(error, HTTPTimeoutError):
        return "timeout", "connect" if "connect" in str(error) else "read", str(error)
    if isinstance(error, HTTPStreamClosedError):
        return "truncated", "", str(error)
    return end_of(error, connecting=isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLError)))


def _error_of(end: End) -> BaseException:
    if end.kind == "timeout":
        return HTTPTimeoutError(end.detail or "Timeout during request")
    if end.kind in ("truncated", "undecodable"):
        return HTTPStreamClosedError("Stream closed" if end.phase or not end.detail else end.detail)
    return error_of(end)


class _Cassette:
    """What vcrpy's stub sees around one request: the exchange that answers it, or a call that takes the answer down."""

    write_protected = False

    def __init__(self, decision: Exchange | Call) -> None:
        self._decision = decision
        self._error: BaseException | None = None

    def fetch(self, original: Any, client: Any, request: Any, callback: Callable[[Any], None]) -> None:
        def real(client: Any, request: Any, callback: Callable[[Any], None]) -> None:
            def noting(response: Any) -> None:
                self._error = None if response._error_is_response_code else response.error
                callback(response)

            original(client, request, noting)

        vcr_fetch_impl(self, real)(client, request, callback)

    # what the stub calls

    def can_play_response_for(self, _: Any) -> bool:
        return isinstance(self._decision, Exchange)

    def play_response(self, _: Any) -> dict[str, Any]:
        exchange = self._decision
        assert isinstance(exchange, Exchange)
        head = exchange.head
        assert head is not None
        return {
            "status": {"code": head.status, "message": head.reason or phrase(head.status)},
            "headers": [(name, [value]) for name, value in head.headers],
            "body": {"string": exchange.body},
            "url": exchange.request.url,
        }

    def append(self, _: Any, response: dict[str, Any]) -> None:
        call = self._decision
        assert isinstance(call, Call)
        if self._error is not None:
            call.end(*_end_of(self._error))
            return
        status = response["status"]["code"]
        reason = response["status"]["message"]
        named = [(name.lower(), value) for name, values in response["headers"] for value in values]
        call.head(status, named, reason if reason != phrase(status) else "")
        if response["body"]["string"]:
            call.chunk(response["body"]["string"])
        call.end()
