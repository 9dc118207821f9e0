"""What colours a terminal, in the output of tools that agents read: `ESC[31m`, `ESC[1;31m`, `ESC[K`."""

from __future__ import annotations

END_BEFORE = r"(?<=1[bB]\[[mK])|(?<=\x1b\[[mK])|(?<=[\[;]\dm)|(?<=[\[;]\d\dm)|(?<=;\d\d\dm)"
"""One ends here; `ESC` may be escaped (`\\u001b`)."""
COLOUR = r"(?:(?:\x1b|\\{1,4}(?:u001[bB]|x1[bB]|033|e))\[[\d;]{0,12}[mK])"
"""One of them."""
