"""What a model answered, in one shape for every wire format.

Blocks are in the shape of the Messages API (`{"type": "text", "text": …}`, `{"type": "tool_use",
"id": …, "name": …, "input": …}`), also where the wire format has another one: a test that asks for
`tool_uses[0].name` reads the same behind any gateway. `message` is the answer in its own format, as
the call without `stream` would have given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, in parts that do not overlap: what the model read is the sum of the three inputs.

    A counter that the answer does not have is 0. OpenAI's `prompt_tokens` include the cached ones;
    here they are taken apart (`prompt_tokens_details.cached_tokens`).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    @property
    def total_input_tokens(self) -> int:
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
        )


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the model asks the client to run.

    `input` is `{}` where the JSON is cut or invalid (`max_tokens`, `eager_input_streaming`);
    `raw_input` is the JSON text as it came.
    """

    id: str
    name: str
    input: Any
    raw_input: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer as far as it came; every field of it is read-only.

    Attributes:
        content: blocks in the order of the answer, unknown types kept as they are.
        stop_reason: `end_turn`, `tool_use` … as the wire format says it (`stop`, `tool_calls` …).
        complete: the message is whole: the terminal event was seen, or the JSON was a message.
            False after an error, and for a stream that a gateway ended without its terminal event.
        error: the error object of the body, or of the event in mid-stream; `{"message": text}`
            where the body of an error status has none.
        message: the answer in its own wire format, a stream put together; `{}` where none came.
    """

    id: str = ""
    model: str = ""
    role: str = "assistant"
    content: list[dict[str, Any]] = field(default_factory=list)
    tool_uses: tuple[ToolUse, ...] = ()
    stop_reason: str | None = None
    usage: Usage = Usage()
    complete: bool = False
    error: Mapping[str, Any] | None = None
    message: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All text blocks, joined."""
        return self._joined("text")

    @property
    def thinking(self) -> str:
        """All thinking blocks, joined."""
        return self._joined("thinking")

    def _joined(self, kind: str) -> str:
        parts = [block.get(kind) for block in self.content if block.get("type") == kind]
        return "".join([part for part in parts if isinstance(part, str)])
