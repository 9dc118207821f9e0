"""What a text says in other words: percent-encoding, JSON escapes, base64, hex.

Each gives *views*: a decoded text with a way back from its offsets to those of the original, so that what is
found in it is a stretch of the original. Nothing is decoded for its looks: a run of base64 or hex is, where
its characters are those of printable text (of random bytes one place in 40,000 looks so), and a run that
begins like an image, a PDF or an archive never is.
"""

from __future__ import annotations

import base64
import functools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from convo_replay.redaction.placeholders import LEAST_OPAQUE

Place = tuple[int, int, bool]
"""(start, end, opaque): where in the original something stands, and whether base64 is to take its place."""


@dataclass(frozen=True, slots=True)
class View:
    """A decoded text; `place(start, end)` is where a stretch of it stands in the original."""

    text: str = field(repr=False)
    place: Callable[[int, int], Place]


def views(text: str) -> Iterator[View]:
    """What stands in `text` in percent-encoding and in JSON escapes, with what stands around each."""
    if "%" in text and _ONE_PERCENT.search(text) is not None:
        for start, end in _near(text, _PERCENT):
            yield _view(text, start, end, _PERCENT, _percent)
            if text.find("+", start, end) >= 0:
                yield _view(text, start, end, _FORM, _percent)
    if _may_be_escapes(text) and _ESCAPES.search(text) is not None:
        yield from _unescaped(text, _ESCAPES, _escape)
    if _may_be_bytes(text):
        yield from map(_in_bytes, _BYTES.finditer(text))


def json_views(text: str) -> Iterator[View]:
    """`text` with every JSON escape undone, once."""
    if "\\" in text:
        yield from _unescaped(text, _JSON_ESCAPES, _json_escape)


_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_FORM = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+")
_ONE_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
# What an encoder escapes though JSON does not ask for it, in a string inside of strings too.
_ESCAPES = re.compile(r"\\(?<!\\\\)\\{0,7}+(?:u00(0[9AaDd]|[2-7][0-9A-Fa-f])|(/))")
_JSON_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9A-Fa-f]{4}|\\.", re.DOTALL
)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# Ten characters of text or more, written byte by byte: `\\x73\\x6b`, `0x73, 0x6b`.
_BYTE = re.compile(r"(?:(?<!\\)\\{1,16}+x|0x)(?P<byte>[2-9A-Fa-f][0-9A-Fa-f]|0[9AaDd])[, ]{0,2}+")
_BYTES = re.compile(rf"(?:{_BYTE.pattern.replace('?P<byte>', '?:')}){{10,}}+")
# Two of them: where none are, ten are not. What begins with a literal is found ten times as fast.
_TWO_0X = re.compile(r"0x[0-9A-Fa-f]{2}[, ]{0,2}(?:0x|\\)")
_TWO_X = re.compile(r"\\x[0-9A-Fa-f]{2}[, ]{0,2}(?:0x|\\)")
_AROUND = 256
_DENSE = re.compile(r"[A-Za-z0-9+/=_.-]*")


def _percent(match: re.Match[str]) -> str:
    if match[0] == "+":  # a blank, in a form
        return " "
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogateescape")


def _escape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else match[2]


def _may_be_escapes(text: str) -> bool:
    return "\\" in text and ("\\u00" in text or "\\/" in text)


def _may_be_bytes(text: str) -> bool:
    return ("0x" in text and _TWO_0X.search(text) is not None) or ("\\x" in text and _TWO_X.search(text) is not None)


def _in_bytes(run: re.Match[str]) -> View:
    found = list(_BYTE.finditer(run[0]))
    said = bytes.fromhex("".join([one["byte"] for one in found])).decode("utf-8", "surrogateescape")
    # The bytes of each character, by their number.
    ends = [0, *accumulate(len(char.encode("utf-8", "surrogateescape")) for char in said)]

    def place(begin: int, stop: int) -> Place:
        return run.start() + found[ends[begin]].start(), run.start() + found[ends[stop] - 1].end("byte"), False

    return View(said, place)


def _json_escape(match: re.Match[str]) -> str:
    sequence = match[0]
    if sequence[1] == "u" and len(sequence) > 2:
        high = int(sequence[2:6], 16)
        return (
            chr(high) if len(sequence) == 6 else chr(0x10000 + ((high & 0x3FF) << 10) + (int(sequence[8:], 16) & 0x3FF))
        )
    return _LETTERS.get(sequence[1], sequence[1])


def _unescaped(text: str, escapes: re.Pattern[str], decode: Callable[[re.Match[str]], str]) -> Iterator[View]:
    """A view of each neighbourhood of escapes."""
    for start, end in _near(text, escapes):
        yield _view(text, start, end, escapes, decode)


def _near(text: str, escapes: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The neighbourhoods of escapes: all of a short text, of a long one what is near to one."""
    start = end = -1
    for match in escapes.finditer(text):
        if match.start() > end:
            if end >= 0:
                yield start, end
            start = max(match.start() - _AROUND, end, 0)
            if start and text[start] not in "\"' \n\t,;":
                start = max(_run_before(text, start), end, 0)
        end = max(end, match.end() + _AROUND)
        if end >= len(text):
            end = len(text)
            break
        if end > match.end():
            rest = _DENSE.match(text, end)
            end = rest.end() if rest is not None else end
    if end >= 0:
        yield start, end


def _run_before(text: str, start: int) -> int:
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/=_.-"):
        start -= 1
    return start


def _view(text: str, start: int, end: int, escapes: re.Pattern[str], decode: Callable[[re.Match[str]], str]) -> View:
    @functools.cache
    def steps() -> tuple[list[int], list[int]]:
        # Offsets in the view at which the way through the text is another, and those of the text.
        here, there = [0], [start]
        length, at = 0, start
        for match in escapes.finditer(text, start, end):
            length += match.start() - at
            at = match.start()
            piece = decode(match)
            size = 3 if match[0][0] == "%" else match.end() - at
            for char in piece:
                here.append(length)
                there.append(at)
                length += 1
                at += size * len(char.encode("utf-8", "surrogateescape")) if size == 3 and match[0][0] == "%" else size
            at = match.end()
            here.append(length)
            there.append(at)
        return here, there

    def place(begin: int, stop: int) -> Place:
        return _original(steps(), begin), _original(steps(), stop), False

    return View(escapes.sub(decode, text[start:end]), place)


def _original(steps: tuple[list[int], list[int]], at: int) -> int:
    here, there = steps
    step = bisect_right(here, at) - 1
    return there[step] + at - here[step]


# Base64 of twelve printable characters or more, wherever in a run it begins: of three characters each.
_THREE64 = r"[I-Za-f][C-HS-Xi-n0-3yz][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_TEXT64 = re.compile(_THREE64 * 4 + f"(?:{_THREE64})*+")  # written out, it is found twice as fast as with `{4,}`
_TEXT16 = re.compile(r"(?:[2-7][0-9A-Fa-f]|0[9AaDd]){10,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*+")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/_-]")
_STANDARD = str.maketrans("-_", "+/")
_PRINTABLE = re.compile(r"[\t\n\r -~]*+")
_IS_PRINTABLE = bytes(byte in b"\t\n\r" or 32 <= byte < 127 for byte in range(256))
_ELEVEN = bytes([1]) * 11
_MAGIC = (
    "iVBORw0KGgo",  # PNG
    "/9j/", "_9j_",  # JPEG
    "R0lGOD",  # GIF
    "UklGR",  # WebP, WAV
    "JVBERi0",  # PDF
    "UEsDB",  # zip, docx, xlsx
    "H4sI",  # gzip
    "SUQz", "T2dnUw", "ZkxhQw",  # MP3, Ogg, FLAC
    "AAAAIGZ0eX", "AAAAGGZ0eX", "AAAAHGZ0eX",  # MP4, M4A
    "Qk0",  # BMP
    "GkXfo",  # WebM
)  # fmt: skip
_MAGIC_BYTES = (
    b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"%PDF-", b"PK\x03\x04", b"\x1f\x8b\x08", b"ID3", b"OggS",
    b"fLaC", b"\x1aE\xdf\xa3",
)  # fmt: skip
_LEAST_MEDIUM = 64
_IN_RIFF = (b"WEBP", b"WAVE", b"AVI ")
_LEAST_RUN = 16
_MOST_KEPT = 16_384


def is_medium(text: str, start: int, end: int) -> bool:
    """Whether the run `text[start:end]` is base64 of an image, a document, a sound, an archive."""
    return end - start >= _LEAST_MEDIUM and text.startswith(_MAGIC, start)


def are_medium(data: bytes) -> bool:
    """Whether bytes are an image, a document, a sound, an archive: an edit of its length would break it."""
    return data.startswith(_MAGIC_BYTES) or data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] in _IN_RIFF)


def hidden(text: str, start: int, end: int) -> Iterator[View]:
    """The texts that stand in base64 or hex in a run of their characters, `text[start:end]`."""
    at = start
    while True:
        match = _TEXT64.search(text, at, end)
        if match is None:
            break
        begin = _run_start(text, start, match.start())
        rest = _BASE64.match(text, match.end(), end)
        at = stop = rest.end() if rest is not None else end
        yield from _in_base64(text, begin, stop)
    match = _TEXT16.search(text, start, end)
    while match is not None:
        yield from _in_hex(text, match)
        match = _TEXT16.search(text, match.end(), end)


def may_hide(text: str, start: int, end: int) -> bool:
    """Whether text may stand in base64 or hex in the run `text[start:end]`; cheap."""
    if end - start < _LEAST_RUN:
        return False
    return _TEXT64.search(text, start, end) is not None or _may_be_hex(text, start, end)


def _may_be_hex(text: str, start: int, end: int) -> bool:
    # Letters of hex are all small or all large, at one end of a run or the other.
    for part in (text[start : start + 20], text[max(start, end - 20) : end]):
        if part.islower() or part.isupper() or part.isdigit():
            return _TEXT16.search(text, start, end) is not None
    return False


def is_escaped(text: str) -> bool:
    """Whether `views` gives any view."""
    if "%" in text and _ONE_PERCENT.search(text) is not None:
        return True
    if _may_be_escapes(text) and _ESCAPES.search(text) is not None:
        return True
    return _may_be_bytes(text) and _BYTES.search(text) is not None


_REST = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


def to_run_end(text: str, start: int, end: int) -> tuple[int, int]:
    """A known value in base64, `start` at a multiple of four characters, with what follows it in its run.

    Behind a value everything shifts with its length: left standing, it would tell something of the value,
    and differ where another one is encoded.
    """
    rest = _REST.match(text, end)
    end = rest.end() if rest is not None else end
    while end - start < LEAST_OPAQUE and start >= 4 and _NOT_BASE64.search(text, start - 4, start) is None:
        start -= 4
    return start, end


def _run_start(text: str, start: int, at: int) -> int:
    return max(text.rfind(".", start, at) + 1, start)


def _in_base64(text: str, begin: int, stop: int) -> Iterator[View]:
    run = text[begin:stop]
    padded = stop
    while padded < len(text) and padded - stop < 2 and text[padded] == "=":
        padded += 1
    found = _decoded(run) if len(run) <= _MOST_KEPT else _decode(run)
    for offset, first, stretch in found:
        yield View(stretch, functools.partial(_place_in_base64, begin + offset, first, padded))


def _place_in_base64(base: int, first: int, end: int, begin: int, _: int) -> Place:
    start = base + (first + begin) // 3 * 4
    # What is too short for a placeholder takes some of what stands before with it.
    while end - start < LEAST_OPAQUE and start - 4 >= base:
        start -= 4
    return start, end, True


def _decode(run: str) -> tuple[tuple[int, int, str], ...]:
    """(offset of the alignment, offset in the decoded bytes, text) of each stretch of text in a run of base64."""
    offsets = {match.start() % 4 for match in _TEXT64.finditer(run)}
    standard = run.translate(_STANDARD)
    found = []
    for offset in sorted(offsets):
        body = standard[offset:]
        if len(body) % 4 == 1:
            body = body[:-1]
        data = base64.b64decode(body + "=" * (-len(body) % 4))
        found += [(offset, first, stretch) for first, stretch in _printable(data)]
    return tuple(found)


def _printable(data: bytes) -> Iterator[tuple[int, str]]:
    """(offset, text) of each stretch of at least eleven printable bytes."""
    kinds = data.translate(_IS_PRINTABLE)
    at = kinds.find(_ELEVEN)
    decoded = data.decode("latin-1") if at >= 0 else ""
    while at >= 0 and (match := _PRINTABLE.match(decoded, at)) is not None:
        yield at, match[0]
        at = kinds.find(_ELEVEN, match.end())


_decoded = functools.lru_cache(512)(_decode)


def _in_hex(text: str, match: re.Match[str]) -> Iterator[View]:
    start, end = match.span()
    yield View(bytes.fromhex(text[start:end]).decode("latin-1"), functools.partial(_place_in_hex, text, start, end))


def _place_in_hex(text: str, base: int, end: int, begin: int, stop: int) -> Place:
    stop = base + 2 * stop
    # A digit that follows would read as one of the placeholder's number, and half a byte would be left.
    while stop < end and text[stop].isdecimal():
        stop += 2
    return base + 2 * begin, stop, False
