"""Rules about parameters and contents meet anything at all: no exception, and time in step with the size."""

from __future__ import annotations

from typing import Any

import pytest

from convo_replay.validation.rules import conversation_rules
from rule_cases import BEDROCK, DIRECT, request_of

NAN = float("nan")
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    NAN,
    1 << 80,
    "",
    " ",
    "x",
    [],
    [None],
    [[]],
    {},
    {"type": 5},
    {"type": []},
    {"x": {}},
]
KEYS = (
    "thinking", "tool_choice", "tools", "system", "max_tokens", "temperature", "top_p", "top_k", "output_config",
    "context_management", "mcp_servers", "cache_control", "thread", "messages", "web_search_options",
    "anthropic_version",
)  # fmt: skip
TYPES = (
    "text", "image", "document", "tool_use", "tool_result", "tool_search_tool_result", "compaction", "tool_addition",
    "search_result", "thinking", "server_tool_use",
)  # fmt: skip
FIELDS = ("text", "source", "content", "tool", "citations", "signature", "cache_control", "tool_use_id")


def _bodies() -> list[Any]:
    shapes = list(JUNK)
    for model in ("claude-sonnet-4-5", "claude-opus-5-5", "claude-sonnet-5-5"):
        for junk in JUNK:
            whole = dict.fromkeys(KEYS, junk) | {"model": model}
            shapes += [whole, whole | {"messages": [{"role": "user", "content": junk}, junk]}]
            blocks = [dict.fromkeys(FIELDS, junk) | {"type": kind} for kind in TYPES]
            turns = [
                {"role": role, "content": blocks, "clear_at": junk, "output_config": junk}
                for role in ("user", "assistant", "system", "tool", "user", "assistant", "user")
            ]
            shapes.append({"model": model, "messages": turns, "thinking": {"type": "enabled", "budget_tokens": junk}})
    return shapes


@pytest.mark.parametrize(("version", "url"), [("2023-06-01", DIRECT), ("2026-10-21", BEDROCK), ("", "about:blank")])
def test_nothing_is_raised(version, url):
    found = 0
    for body in _bodies():
        for new in (0, 2):
            asked = request_of(body, version=version, url=url, new=min(new, 1))
            for rule, check in conversation_rules().items():
                if rule.format in ("", "anthropic"):
                    found += len(list(check(asked)))
    assert found > 100


def _long(count: int) -> dict[str, Any]:
    reference = {"type": "tool_reference", "tool_name": "gone"}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [reference, {"type": "image", "source": {}}]}
    turns = [
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "gone"}}]},
        {"role": "user", "content": [result, {"type": "text", "text": ""}]},
        {"role": "assistant", "content": [{"type": "compaction", "content": "x", "signature": "c2ln"}]},
    ]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    return {"model": "claude-sonnet-4-5", "max_tokens": 9000, "thinking": thinking, "messages": turns * count}


def test_each_message_is_looked_at_a_few_times(monkeypatch):
    looks = {}
    for count in (50, 500):
        asked = request_of(_long(count))
        seen = [0]

        class Counting(list):  # type: ignore[type-arg]
            def __getitem__(self, index, seen=seen):
                seen[0] += 1
                return super().__getitem__(index)

            def __iter__(self, seen=seen):
                seen[0] += len(self)
                return super().__iter__()

        asked.messages = Counting(asked.messages)
        for check in conversation_rules().values():
            list(check(asked))
        looks[count] = seen[0]
    assert looks[500] < 12 * looks[50]
