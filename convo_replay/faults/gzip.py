"""A compressed body that does not unpack to what was sent."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from convo_replay.exchange import Chunk, End, Exchange, Steps
from convo_replay.faults import fitting, outcomes, pieces
from convo_replay.faults.fault import Fault, word

_GZIP = 31  # zlib's word for a gzip member, without a name and with time 0
_NO_BLOCK = b"\xff" * 16  # block type 3, which does not exist
_TRAILER = 8
_CORRUPT = outcomes.calls(
    create=f"{outcomes.CONNECTION} ← httpx2.DecodingError, after 3 requests",
    raw=("httpx2.DecodingError (bare)", outcomes.CONNECTION),
)


@dataclass(frozen=True)
class Gzip(Fault):
    """`gzip:corrupt`: the answer compressed, each event so that a client can have it at once, and broken."""

    how: str = word(
        choices=("corrupt", "crc", "plain", "truncated", "unknown"),
        help="corrupt: broken in the middle; crc: a wrong checksum at the end; plain: labelled gzip, and is not; "
        "truncated: the first half; unknown: plain, labelled with an encoding that nobody knows",
    )

    name = "gzip"
    kind = "body"
    summary = "a content-encoding that does not hold"
    outcomes: ClassVar = outcomes.by_word(
        corrupt=_CORRUPT,
        crc={**_CORRUPT, **outcomes.calls(raw=("httpx2.DecodingError (bare)", "normal: nothing is read after [DONE]"))},
        plain=_CORRUPT,
        truncated=outcomes.calls(create=outcomes.BARE, raw="silent: short", stream="silent: a partial message"),
        unknown=outcomes.every("normal"),
    )
    source: ClassVar[str] = "rows 21-23, 41, 42"

    def fits(self, exchange: Exchange) -> str:
        return fitting.wants_body(exchange)

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        head = pieces.head_of(after)
        if head is None:
            return after
        chunks = [step for step in after if isinstance(step, Chunk)]
        encoding = "x-unknown" if self.how == "unknown" else "gzip"
        if self.how not in ("plain", "unknown"):
            chunks = self._packed(chunks)
        return (pieces.with_headers(head, content_encoding=encoding), *chunks, End())

    def _packed(self, chunks: list[Chunk]) -> list[Chunk]:
        packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        if len(chunks) == 1 and self.how != "crc":
            (whole,) = chunks
            half = len(whole.data) // 2
            chunks = [Chunk(whole.at, whole.data[:half]), Chunk(0.0, whole.data[half:])]
        packed = [Chunk(one.at, packer.compress(one.data) + packer.flush(zlib.Z_SYNC_FLUSH)) for one in chunks]
        if self.how == "crc":
            trailer = packer.flush()
            wrong = bytes(byte ^ 0xFF for byte in trailer[-_TRAILER:])
            return [*packed, Chunk(0.0, trailer[:-_TRAILER] + wrong)]
        first = packed[: max(1, len(packed) // 2)]
        return first if self.how == "truncated" else [*first, Chunk(0.0, _NO_BLOCK)]
