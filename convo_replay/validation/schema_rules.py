"""What the rules about the form of requests and answers say of themselves (`check --rules`, `--explain`)."""

from __future__ import annotations

from convo_replay.validation.findings import Rule

_TYPES = "types of the vendor's Python SDK, as JSON schemas (convo_replay/validation/schemas; protocol.md §1.3, §1.4)"

REQUEST_SCHEMA = Rule(
    name="request-schema",
    number="§1.4",
    format="",
    severity="error",
    summary="What is sent has the required properties, each of its type.",
    why="A property is missing, or is of another type, or has a value that is none of those allowed; the API rejects "
    "the whole request. Most often a block was rebuilt by hand and lost a part (a thinking block its `signature`, a "
    "`tool_use` its `id`), or a Python `None` became `null`. Send blocks back as they were received, and leave out "
    "what is not set.",
    source=_TYPES,
    api_error="messages.N.content.M.thinking.signature: Field required",
)
BLOCK_MISPLACED = Rule(
    name="block-misplaced",
    number="§1.2",
    format="anthropic",
    severity="error",
    summary="Each content block stands in a message of the role that it belongs to.",
    why="`tool_use`, `thinking` and the results of server tools are what the model says: they stand in assistant "
    "messages. `tool_result` and images are what the application says: they stand in user messages. A history that was "
    "put together with the wrong role for a message is rejected; check where the role of that message is set.",
    source="counted from the unions of anthropic 2.12.0, and the vendor's documentation",
    api_error="messages.N: `tool_result` blocks can only be in `user` messages",
)
UNKNOWN_BLOCK = Rule(
    name="unknown-block",
    number="§1.2",
    format="",
    severity="warn",
    summary="Every content block is of a type that is known.",
    why="The `type` of a block is none that the SDK of this version of convo_replay knows. It may be new, and nothing "
    "in it was checked; or it is misspelled, and the API rejects it.",
    source=_TYPES,
    api_error="messages.N.content.M: Input tag 'TYPE' found using 'type' does not match any of the expected tags",
)
UNKNOWN_FIELD = Rule(
    name="unknown-field",
    number="§1.4",
    format="",
    severity="warn",
    summary="Every field is one that is known.",
    why="A field is none that the SDK of this version of convo_replay knows. It may be new. In a request it may be "
    "misspelled: the API then rejects it, and a gateway drops it without a word, so that what it should do never "
    "happens.",
    source=_TYPES,
    api_error="FIELD: Extra inputs are not permitted",
)
UNKNOWN_ROLE = Rule(
    name="unknown-role",
    number="§1.1",
    format="",
    severity="warn",
    summary="Every message has a role that is known.",
    why="Roles differ between vendors: `tool` and `developer` are OpenAI's; at Anthropic tool results stand in user "
    "messages. A role that is not known may be new, or the message was made for another API.",
    source=_TYPES,
)
UNKNOWN_TOOL = Rule(
    name="unknown-tool",
    number="§1.1",
    format="",
    severity="warn",
    summary="Every tool is of a type that is known.",
    why="The `type` of a tool is none that the SDK of this version of convo_replay knows: a newer version of a server "
    "tool, one of a gateway, or misspelled. Nothing in it was checked.",
    source=_TYPES,
)
UNKNOWN_VALUE = Rule(
    name="unknown-value",
    number="§1.4",
    format="",
    severity="warn",
    summary="What the model's side says with a fixed set of words it says with one of them.",
    why="A stop reason, or a value in an assistant turn, is none that the SDK of this version of convo_replay knows. "
    "Code that compares it with the known ones may take the wrong branch.",
    source=_TYPES,
)
UNKNOWN_EVENT = Rule(
    name="unknown-event",
    number="§2.1",
    format="anthropic",
    severity="warn",
    summary="Every event of a stream is of a type that is known.",
    why="The vendor adds events; clients must skip what they do not know. Nothing in it was checked.",
    source=_TYPES,
    side="response",
)
UNKNOWN_DELTA = Rule(
    name="unknown-delta",
    number="§2.1",
    format="anthropic",
    severity="warn",
    summary="Every delta of a stream is of a type that is known.",
    why="The SDK's `.stream()` skips a delta that it does not know, so a part of the answer may be missing in what the "
    "application sees.",
    source=_TYPES,
    side="response",
)
BETA_BLOCK = Rule(
    name="beta-block",
    number="§1.2",
    format="anthropic",
    severity="warn",
    summary="What only the beta API knows is sent to the beta API.",
    why="A block, field or value is one that only the beta types of the SDK have, and the request names no beta "
    "(`anthropic-beta` header). The API may reject it, or may have begun to accept it for all.",
    source=_TYPES,
    api_error="FIELD: Extra inputs are not permitted",
)
RESPONSE_SCHEMA = Rule(
    name="response-schema",
    number="§1.4",
    format="",
    severity="error",
    summary="The answer has what a client cannot do without.",
    why="A part of the answer that every client reads is missing or of another type: the content, a block's text, an "
    "event's index. The SDKs do not check answers; attributes are then missing, or an exception comes from far below. "
    "A recording that was edited by hand, or a gateway that translates badly.",
    source=_TYPES,
    side="response",
    status=0,
)
RESPONSE_FIELD = Rule(
    name="response-field",
    number="§1.4",
    format="",
    severity="warn",
    summary="The answer has every field that the SDK's type promises, of its type.",
    why="The SDK's type says that this field is always there, and it is missing or of another type. Code that relies "
    "on the type breaks at this gateway, or with this recording.",
    source=_TYPES,
    side="response",
    status=0,
)

RULES: tuple[Rule, ...] = (
    REQUEST_SCHEMA,
    BLOCK_MISPLACED,
    UNKNOWN_BLOCK,
    UNKNOWN_FIELD,
    UNKNOWN_ROLE,
    UNKNOWN_TOOL,
    UNKNOWN_VALUE,
    UNKNOWN_EVENT,
    UNKNOWN_DELTA,
    BETA_BLOCK,
    RESPONSE_SCHEMA,
    RESPONSE_FIELD,
)
