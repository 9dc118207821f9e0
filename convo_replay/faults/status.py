"""An HTTP status in place of the answer, with the body and the headers that the provider sends with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, pieces, provider_errors
from convo_replay.faults.fault import Fault, key, word
from convo_replay.providers import wire

_PAGES = frozenset({502, 520, 521, 522, 523, 524, 525, 526})  # what the proxy in front of the API answers itself
_BODILESS = frozenset({304})
_CLASSES = {
    # protocol.md §4.1; with `max_retries=2` three requests where the status is retried.
    "400": ("BadRequestError", "BadRequestError"),
    "401": ("AuthenticationError", "AuthenticationError"),
    "402": ("PaymentRequiredError", "APIStatusError"),
    "403": ("PermissionDeniedError", "PermissionDeniedError"),
    "404": ("NotFoundError", "NotFoundError"),
    "408": ("RequestTimeoutError", "APIStatusError"),
    "409": ("ConflictError", "ConflictError"),
    "413": ("ContentTooLargeError", "APIStatusError"),
    "422": ("UnprocessableEntityError", "UnprocessableEntityError"),
    "429": ("RateLimitError", "RateLimitError"),
    "500": ("InternalServerError", "InternalServerError"),
    "502": ("InternalServerError", "InternalServerError"),
    "503": ("ServiceUnavailableError", "InternalServerError"),
    "504": ("GatewayTimeoutError", "InternalServerError"),
    "529": ("OverloadedError", "InternalServerError"),
}
_RETRIED = frozenset({"408", "409", "429", "500", "502", "503", "504", "529"})


def _said(status: str) -> dict[str, str]:
    anthropic, openai = _CLASSES[status]
    times = ", after 3 requests" if status in _RETRIED else ""
    return outcomes.every((f"anthropic.{anthropic}{times}", f"openai.{openai}{times}"))


@dataclass(frozen=True)
class Status(Fault):
    """`429`, `status:503`, `429:retry_after=2`, `500:body=empty`: the answer is an error.

    Without `body` it is what such a server sends: JSON in the provider's shape, the page of a proxy for 502 and
    520 to 526. Rate-limit headers and request ids come with it; `retry-after` only where it is asked for.
    """

    code: int = word(help="the status: 300 to 999")
    retry_after: str | float | None = key(None, help="the header as it is sent: seconds, or an HTTP date")
    retry_after_ms: str | float | None = key(None, help="milliseconds")
    should_retry: bool | None = key(None, help="the header x-should-retry")
    body: str = key("", choices=("json", "html", "empty"), help="what the body is")
    type: str = key("", help="the error's type in a JSON body: overloaded_error")

    name = "status"
    kind = "status"
    summary = "the answer is an error, with the provider's body and headers"
    whole = True
    outcomes: ClassVar = {
        **outcomes.every("SDK.APIStatusError; 5xx: SDK.InternalServerError or a subclass, after 3 requests"),
        **outcomes.by_word(**{status: _said(status) for status in _CLASSES}),
    }
    source: ClassVar[str] = "row 10, §4.1, §4.3"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 300 <= self.code <= 999:
            raise ValueError(f"status: code is {self.code}, expected 300 to 999 (a 204 is no_content)")
        for setting in ("retry_after", "retry_after_ms"):  # `retry_after=2` is what the spec `429:retry_after=2` says
            value = getattr(self, setting)
            if isinstance(value, int | float):
                object.__setattr__(self, setting, f"{value:.15g}")
            elif value is not None:
                pieces.check_header("status", setting, value)

    @classmethod
    def samples(cls) -> tuple[Status, ...]:
        return (*(cls(int(code)) for code in _CLASSES), *(cls(500, body=body) for body in ("html", "empty")))

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        asked = {
            "retry-after": self.retry_after,
            "retry-after-ms": self.retry_after_ms,
            "x-should-retry": None if self.should_retry is None else str(self.should_retry).lower(),
        }
        own = tuple((name, str(value)) for name, value in asked.items() if value is not None)
        known = tuple(pair for pair in provider_errors.headers(exchange, self.code) if pair[0] not in dict(own))
        body = "empty" if self.code in _BODILESS else self.body or ("html" if self.code in _PAGES else "json")
        if body == "empty":
            return pieces.answer(self.code, "", b"", (*known, *own))
        if body == "html":
            page = provider_errors.page(self.code)
            return pieces.answer(self.code, provider_errors.PAGE_TYPE, page, (*provider_errors.PAGE_HEADERS, *own))
        said = wire.dump(provider_errors.body(exchange, self.code, self.type)).encode()
        return pieces.answer(self.code, "application/json", said, (*known, *own))
