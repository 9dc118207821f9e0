"""Files as they lie there, looked through for secrets and identifying data, and cleaned (`convo-replay scan`)."""

from __future__ import annotations

from convo_replay.scanning.findings import FAILING, SEVERITIES, Hit, Scanned, files, scan, scan_unread
from convo_replay.scanning.fixing import Fixed, fix

__all__ = ["FAILING", "SEVERITIES", "Fixed", "Hit", "Scanned", "files", "fix", "scan", "scan_unread"]
