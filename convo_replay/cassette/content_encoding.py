"""A recorded body without its content-encoding.

A recording may have been unpacked while its header stayed: what is plain is taken as it is. gzip and deflate are the
standard library's; `br` and `zstd` need the module that whoever recorded them had.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Sequence

MAX_BODY = 256 << 20
"""Bytes that a body may unpack to."""


class Undecodable(ValueError):
    """A body is compressed and broken. Its text is the decoder's, as a client that reads the body would see it."""


class NoDecoder(ValueError):
    """A body is compressed, and the module that would unpack it is not installed."""


def decoded(data: bytes, encodings: Sequence[str], limit: int = MAX_BODY) -> bytes:
    """The body of a message with these `content-encoding` headers; as it is where they are stale.

    Args:
        limit: bytes that it may unpack to.

    Raises:
        Undecodable: it is broken.
        NoDecoder: it needs a decoder that is not installed.
        ValueError: it unpacks to more than `limit`.
    """
    for word in reversed(",".join(encodings).lower().split(",")):
        unpack = _DECODERS.get(word.strip())
        if unpack is not None and data:
            data = unpack(data, limit)
            if len(data) > limit:
                raise ValueError(f"a body that unpacks to more than {limit:,} bytes")
    return data


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _gzip(data: bytes, limit: int) -> bytes:
    made = bytearray()
    rest = data
    while rest[:2] == b"\x1f\x8b":  # members one after the other are one body; what follows the last one is padding
        engine = zlib.decompressobj(31)
        made += _inflated(engine, rest, limit - len(made))
        rest = engine.unused_data
    return data if rest is data else bytes(made)


def _deflate(data: bytes, limit: int) -> bytes:
    # Servers send zlib's format, as the standard says, or the bare one. Text may begin like either by accident.
    is_text = _is_text(data)
    engine = zlib.decompressobj(15)
    try:
        made = _inflated(engine, data, limit)
    except Undecodable:
        return data if is_text else _inflated(zlib.decompressobj(-15), data, limit)
    return data if is_text and not engine.eof else made


def _inflated(engine: zlib._Decompress, data: bytes, limit: int) -> bytes:
    """What it unpacks to, as far as it came."""
    try:
        return engine.decompress(data, max(limit, 0) + 1)
    except zlib.error as error:
        raise Undecodable(str(error)) from None


def _zstd(data: bytes, limit: int) -> bytes:
    if data[:4] != b"\x28\xb5\x2f\xfd":
        return data
    return _by_module(data, limit, ("compression.zstd", "backports.zstd", "zstandard"))


def _brotli(data: bytes, limit: int) -> bytes:
    # Nothing marks it. Most of it is no text, and a text that unpacks is none.
    try:
        return _by_module(data, limit, ("brotli", "brotlicffi"))
    except ValueError:
        if _is_text(data):
            return data
        raise


def _by_module(data: bytes, limit: int, names: Sequence[str]) -> bytes:
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        try:
            if name == "zstandard":
                with module.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                    return bytes(reader.read(limit + 1))
            return bytes(module.decompress(data))
        except Exception as error:  # each library has errors of its own
            raise Undecodable(str(error)) from None
    raise NoDecoder(f"a compressed body; install one of {' '.join(names)} to read it")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
    "br": _brotli,
}
