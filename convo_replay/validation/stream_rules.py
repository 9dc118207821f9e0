"""What holds of every stream, and of every answer: the rules by their names. `grammars/` says when one is broken."""

from __future__ import annotations

from typing import Final

from convo_replay.validation.findings import Rule, Severity
from convo_replay.validation.gateways import severities_for

_ANTHROPIC = "build-with-claude/streaming; anthropic 2.12 lib/streaming/_messages.py, _streaming.py"
_CHAT = "openai 3.54 types/chat/chat_completion_chunk.py, lib/streaming/chat/_completions.py"
_BOTH = "measured with anthropic 2.12 and openai 3.54, raw and with their helpers, sync and async"


def _rule(
    name: str, number: str, summary: str, why: str, *, format: str = "", severity: Severity = "error", source: str = ""
) -> Rule:
    said = source or {"anthropic": _ANTHROPIC, "openai_chat": _CHAT}.get(format, _BOTH)
    return Rule(
        name, number, format, severity, summary, why, said, status=200, side="response", severities=severities_for(name)
    )


UNTERMINATED: Final = _rule(
    "stream-unterminated",
    "§4.4 24, 25, 42",
    "A stream ends with message_stop (chat completions: finish_reason of each choice, and [DONE]).",
    "The connection closed cleanly, but the answer is not whole: what follows the last event is lost, and stop_reason "
    "may be missing. Neither SDK raises anything. Check that stop_reason is set before an answer is used or stored.",
)
ORDER: Final = _rule(
    "stream-order",
    "§2.1, §2.2",
    "Events come in the order of the protocol.",
    "message_start, then each block with its start, deltas and stop, then message_delta and message_stop. An event out "
    "of order is dropped or put into the wrong block by clients that build the message from it. It comes about in "
    "proxies that rewrite streams, and in recordings edited by hand.",
)
INDEX: Final = _rule(
    "stream-index",
    "§2.1, §4.4 47",
    "Blocks are numbered 0, 1, 2, … and a delta names a block that was started.",
    "The SDK finds a block by its position: a gap in the numbers, or a delta for a block that was never started, is an "
    "IndexError in the application.",
    format="anthropic",
)
DELTA_MISMATCH: Final = _rule(
    "stream-delta-mismatch",
    "§2.1, §4.4 48",
    "A delta fits the type of its block.",
    "The SDK ignores a delta that does not fit its block without a word: that part of the answer is lost.",
    format="anthropic",
)
DATA_INVALID: Final = _rule(
    "stream-data-invalid",
    "§4.4 30–33, 35",
    "The data of each event is a JSON object in UTF-8.",
    "Both SDKs let a bare JSONDecodeError, UnicodeDecodeError or TypeError through, which `except APIError` does not "
    "catch; an event with a name and no data is dropped without a word.",
)
ERROR: Final = _rule(
    "stream-error",
    "§4.4 34, §2.4",
    "A stream that began well ends well.",
    "The vendor reports an error after the answer began, with status 200. The SDK raises it (anthropic: APIStatusError "
    "with status_code 200; openai: APIError), never retries it, and what came before stays half an answer.",
    severity="warn",
)
ERROR_UNNAMED: Final = _rule(
    "stream-error-unnamed",
    "§4.4 37",
    "An error in a stream has the line `event: error`.",
    "An error without its `event:` line is ignored by the SDK without a word: the application takes half an answer for "
    "a whole one. Gateways that speak another vendor's dialect send it so.",
    format="anthropic",
)
EVENT_UNNAMED: Final = _rule(
    "stream-event-unnamed",
    "§4.4 38",
    "Each event has its `event:` line.",
    "The SDK drops events without an `event:` line: a stream that has none at all is an empty answer without an error. "
    "Gateways that rewrite streams forget the lines.",
    format="anthropic",
)
EVENT_MISMATCH: Final = _rule(
    "stream-event-mismatch",
    "§2.1",
    "The `event:` line and the `type` in the data are equal.",
    "Clients look at one or at the other, so the same stream means different things to them.",
    format="anthropic",
)
NOT_EVENTS: Final = _rule(
    "stream-not-events",
    "§4.4 39",
    "`stream: true` is answered with events.",
    "The answer is a page, a JSON document, or nothing at all. Both SDKs give an empty iterator and no error. Gateways "
    "that turn streaming off for a model answer with plain JSON, proxies and captive portals with HTML.",
)
UNDECODABLE: Final = _rule(
    "stream-undecodable",
    "§4.4 41",
    "A compressed stream can be decompressed.",
    "The body does not fit its content-encoding. anthropic lets a bare httpx DecodingError through, openai wraps it.",
)
BOM: Final = _rule(
    "stream-bom",
    "§4.4 53",
    "A stream does not begin with a byte order mark.",
    "The SDKs take the mark for a part of the first line, and drop the first event without a word: message_start, or "
    "the chunk with the role.",
)
USAGE_MISSING: Final = _rule(
    "stream-usage-missing",
    "§4.4 50, §2.2",
    "A stream says what it cost: message_delta has usage.output_tokens (chat: the chunk that include_usage asks for).",
    "Without usage in message_delta anthropic's .stream() raises AttributeError at the end of the answer; without the "
    "usage chunk the application books nothing.",
)
USAGE_FALLS: Final = _rule(
    "stream-usage-falls",
    "§2.1",
    "Usage is cumulative: later reports are not smaller.",
    "Each message_delta replaces the counters that message_start or a message_delta before it gave. A smaller number "
    "means that a gateway counts each part on its own, or no longer knows at the end what it said at the start: the "
    "last report is not the cost of the answer.",
    format="anthropic",
    severity="warn",
)
TOOL_JSON: Final = _rule(
    "stream-tool-json",
    "§4.4 43, 49",
    "The fragments of a tool's input, joined, are one JSON object.",
    "A fragment was lost, doubled or cut: the SDK raises ValueError, or gives a part of the input silently. It is "
    "to be expected (and told as info) where max_tokens cut the answer or the tool has eager_input_streaming.",
)
DUPLICATE: Final = _rule(
    "stream-duplicate",
    "§4.4 43–45",
    "message_start, message_stop, [DONE], the start and the stop of a block come once each.",
    "A proxy that tried again in the middle of a stream, or sent a part of it twice: text is doubled, blocks are "
    "counted twice, and no SDK notices.",
)
AFTER_END: Final = _rule(
    "stream-after-end",
    "§4.4 51",
    "Nothing follows message_stop (chat completions: [DONE]; in a choice, finish_reason).",
    "openai stops reading at [DONE], so what follows is lost; anthropic reads on, and trouble after the end becomes an "
    "exception though the answer was whole.",
)
CHOICES_NULL: Final = _rule(
    "stream-choices-null",
    "§4.4 54",
    "`choices` is a list in each chunk, if need be an empty one.",
    "`chunk.choices[0]` and openai's .stream() raise TypeError on null. Gateways send it in usage and error chunks.",
    format="openai_chat",
)
MESSAGE_START: Final = _rule(
    "stream-message-start",
    "§2.1",
    "message_start holds an empty message: content [], stop_reason null.",
    "Blocks are counted from the end of that content: what already stands there shifts every block after it.",
    format="anthropic",
)
BLOCK_START: Final = _rule(
    "stream-block-start",
    "§2.1",
    'a block that is streamed starts empty: text "", input {}',
    "Clients that join the deltas alone lose what the start holds; clients that begin with it have it twice where the "
    "gateway repeats it in the deltas.",
    format="anthropic",
)
SIGNATURE_MISSING: Final = _rule(
    "stream-signature-missing",
    "§2.1",
    "A thinking block ends with its signature_delta.",
    "A thinking block without its signature cannot be sent back: the next turn of a tool loop is rejected.",
    format="anthropic",
)
STOP_REASON_MISSING: Final = _rule(
    "stream-stop-reason-missing",
    "§2.1",
    "message_delta says why the model stopped.",
    "An answer whose stop_reason is null looks like one that was cut, and a tool loop does not know whether to go on.",
    format="anthropic",
)
ROLE_MISSING: Final = _rule(
    "stream-role-missing",
    "§2.2",
    "The first delta of a choice has the role.",
    "A message that is put together from the deltas has no role then, and cannot be sent back as it is.",
    format="openai_chat",
)
TOOL_CALL: Final = _rule(
    "stream-tool-call",
    "§2.2",
    "Fragments of a tool call have its index; the first one has its id, type and name, later ones only arguments.",
    "Clients join fragments by index and append strings: without the index, calls run together; an id or a name that "
    "is sent again is doubled.",
    format="openai_chat",
)
IDENTITY: Final = _rule(
    "stream-identity",
    "§2.2",
    "id and model are the same in each chunk.",
    "A chunk of another answer got into this one, or a gateway makes up ids: what is logged under the first id is not "
    "found under the last.",
    format="openai_chat",
    severity="warn",
)
RESPONSE_UNDECODABLE: Final = _rule(
    "response-undecodable",
    "§4.4 21",
    "A compressed answer can be decompressed.",
    "The body does not fit its content-encoding; the SDKs raise APIConnectionError after three attempts.",
)
RESPONSE_NOT_JSON: Final = _rule(
    "response-not-json",
    "§4.4 14, 15, 20, 22",
    "An answer with status 200 is a JSON document in UTF-8.",
    "HTML labelled as text is handed to the application as a string; half a document, or an empty one, is a bare "
    "JSONDecodeError that `except APIError` does not catch. Proxies and captive portals answer so.",
)
RESPONSE_ERROR: Final = _rule(
    "response-error",
    "§4.4 17",
    "An error has an error's status.",
    "With status 200 the SDK makes an object without content of it and raises nothing; the application fails later, on "
    "a missing attribute. Gateways answer so when what is behind them fails.",
)
RESPONSE_NOT_MESSAGE: Final = _rule(
    "response-not-message",
    "§4.4 18",
    "An answer is a JSON object.",
    "The SDK hands null, a list or a string to the application as it came.",
)
STREAM_NOT_ASKED: Final = _rule(
    "stream-not-asked",
    "§2.4",
    "A request without `stream: true` is answered with one JSON document.",
    "The SDK reads the whole stream as one text, and hands it to the application as a string.",
    severity="warn",
)

RULES: Final = (
    UNTERMINATED, ORDER, INDEX, DELTA_MISMATCH, DATA_INVALID, ERROR, ERROR_UNNAMED, EVENT_UNNAMED, EVENT_MISMATCH,
    NOT_EVENTS, UNDECODABLE, BOM, USAGE_MISSING, USAGE_FALLS, TOOL_JSON, DUPLICATE, AFTER_END, CHOICES_NULL,
    MESSAGE_START, BLOCK_START, SIGNATURE_MISSING, STOP_REASON_MISSING, ROLE_MISSING, TOOL_CALL,
    IDENTITY, RESPONSE_UNDECODABLE, RESPONSE_NOT_JSON, RESPONSE_ERROR, RESPONSE_NOT_MESSAGE, STREAM_NOT_ASKED,
)  # fmt: skip
