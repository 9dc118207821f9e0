"""The schema that a request declares for a tool can be read."""

from __future__ import annotations

from convo_replay.validation.tool_inputs import TOOL_SCHEMA_INVALID, check_schemas

RULE = TOOL_SCHEMA_INVALID
check = check_schemas
