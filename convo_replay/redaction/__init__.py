"""Redaction: what is matched, stored, scanned and shown is one form, made here (design.md §7.1, §7.2)."""

from __future__ import annotations

from convo_replay.redaction.gate import leaks, leaks_in_text
from convo_replay.redaction.redactor import Redactor

__all__ = ["Redactor", "leaks", "leaks_in_text"]
