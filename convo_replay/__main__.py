"""`python -m convo_replay`."""

from __future__ import annotations

import sys

from convo_replay.cli import main

sys.exit(main())
