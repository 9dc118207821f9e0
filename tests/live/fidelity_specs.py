"""The faults of the comparison: specs, for each SDK and call where they fit.

`{n}` is the number of events of the recorded stream, `{mid}` a byte in the middle of an event of it, or of the body.
"""

from __future__ import annotations

NOT_RETRIED = (400, 401, 402, 403, 404, 412, 413, 422, 431, 499)
RETRIED = (408, 409, 429, 500, 501, 502, 503, 504, 520, 522, 524, 529)
CONNECTION = (
    "connect:refused", "connect:dns", "connect:tls", "connect:not-tls", "timeout:connect", "timeout:read",
    "timeout:write", "timeout:pool", "disconnect:eof", "disconnect:reset", "disconnect:half", "disconnect:garbage",
)  # fmt: skip
CUTS = ("cut:reset", "cut:eof", "cut:chunk", "cut:length", "cut:garbage", "stall")

STATUSES = [
    *[str(status) for status in (*NOT_RETRIED, *RETRIED)],
    *[f"{status}x*" for status in (408, 409, 429, 500, 502, 503, 504, 529)],
    "status:503x2", "status:503x3",
    "429:retry_after=2", "429:retry_after=2x*", "429:retry_after=121", "429:retry_after_ms=50",
    "429:should_retry=false", "400:should_retry=true", "400:should_retry=truex*",
    *[f"{status}:body={body}{times}" for status in (429, 400) for body in ("html", "empty") for times in ("", "x*")],
]  # fmt: skip
WHOLE = [
    *[name + times for name in CONNECTION for times in ("", "x*")],
    "redirect", "redirect:308", "redirectx*",
    "truncated_json", "empty", "html", "html:type=application/json", "content_type:none", "content_type:text/plain",
    "content_type:text/html", "foreign_json", "foreign_json:error", "json_value:null", "json_value:list",
    "json_value:string", "no_content", "bad_utf8", "tool_arguments", "unknown_tool", "tool_truncated", "unknown_block",
    *[f"gzip:{how}{times}" for how in ("corrupt", "crc", "plain", "truncated") for times in ("", "x*")], "gzip:unknown",
    *[f"{cut}@b{{mid}}{times}" for cut in CUTS for times in ("", "x*")],
    *[f"{cut}@b0" for cut in CUTS],
]  # fmt: skip
STREAM = [
    *[f"{cut}@{place}" for cut in CUTS for place in (0, 1, 5)],
    *[f"{cut}@{{n}}" for cut in ("cut:reset", "cut:chunk", "cut:garbage", "stall")],
    *[f"error:overloaded_error@{place}" for place in ("0", "4", "{n}")],
    "error_text@4", "error_unnamed@4", "malformed@0", "malformed@4", "empty_data@4", "null_data@4", "bad_utf8@b{mid}",
    "no_terminal", "duplicate@0", "duplicate@1", "duplicate@4", "drop@0", "drop@1", "drop@4", "reorder@1", "reorder@4",
    "repeat", "unnamed", "wrong_index@4", "unknown_event@4", "unknown_delta@4", "unknown_delta:unfit@4",
    "usage_missing", "choices_empty", "choices_null", "bom", "json_instead_of_stream", "keepalive@4", "slow", "junk",
]  # fmt: skip
BENIGN = ["noop", "rechunk", "rechunk:7", "crlf", "cr", "comments", "multiline", "pings"]
TOGETHER = [
    "429x2+cut:reset@5",
    "connect:refused+cut:eof@5",
    "disconnect:reset+503",
    "503+disconnect:half+timeout:read",
]

SPECS = [*STATUSES, *WHOLE, *STREAM, *BENIGN, *TOGETHER]

SAMPLE = [
    "noop", "400", "429x*", "connect:refusedx*", "connect:tlsx*", "timeout:read", "disconnect:resetx*", "redirect",
    "cut:reset@5", "cut:eof@5", "cut:length@b{mid}", "cut:chunk@b{mid}x*", "stall@5", "gzip:crc",
    "error:overloaded_error@4", "429x2+cut:reset@5",
]  # fmt: skip
"""One of each kind of end, for every run of the tests."""
