"""vcrpy's cassettes ↔ ours: read, sanitized like a recording, gated like any save, written whole or not at all."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from convo_replay import keeping
from convo_replay.cassette import Cassette, UnknownKeys, Written, create, dump, load, vcrpy, vcrpy_writing
from convo_replay.errors import CassetteError
from convo_replay.exchange import Exchange
from convo_replay.redaction import Redactor
from convo_replay.transports.tokens import is_token_endpoint

SUFFIXES = (".json", ".yaml", ".yml")
"""Of files that are taken for cassettes in a folder: one that cannot be read is an error there."""
_CASSETTES = re.compile(rb"^(?:interactions|convo_replay):", re.MULTILINE)  # in a file without a suffix
_LOOKED_AT = 1 << 16  # bytes of such a file


def convert(src: Path, dst: Path, *, sanitize: str = "on") -> list[str]:
    """Writes a cassette in the other format: vcrpy's as ours, ours as vcrpy's.

    Args:
        sanitize: `on`, or `off`, outside a git work tree only.

    Returns:
        what the other format has no place for, a line each.

    Raises:
        CassetteError: `src` is no cassette, `dst` is there already or cannot be written, or `sanitize` is off
            inside a git work tree. Nothing is written then.
        LeakFound: a secret would have reached the file; nothing is written.
        ValueError: another word for `sanitize`.
    """
    if sanitize not in ("on", "off"):
        raise ValueError(f"sanitize: expected 'on' or 'off', got {sanitize!r}")
    if dst.suffix == ".json":
        raise CassetteError(dst, "cassettes are written as YAML, ours and vcrpy's; name it .yaml")
    if os.path.lexists(dst):
        raise CassetteError(dst, "there is a file of this name already, which is not overwritten")
    if sanitize == "off":
        keeping.refuse_in_git(dst)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownKeys)  # they are named below, among what is left out
        cassette = load(src)
    if cassette.format == "vcrpy":
        cassette = vcrpy.read(src.read_bytes(), str(src), layouts=True)
        if sanitize == "on":
            _refuse_unread(src, cassette)
    lost = [*_keys(cassette), *(vcrpy_writing.lost(cassette) if cassette.format == "convo" else _hashed(cassette))]
    redactor = Redactor(dict(os.environ)) if sanitize == "on" else None
    if redactor is not None:
        lost += _token_endpoints(cassette)
        cassette = _sanitized(cassette, redactor)
    cassette = _portable(cassette)
    written = dump(cassette, in_order=True) if cassette.format == "vcrpy" else Written(vcrpy_writing.dump(cassette))
    if redactor is not None:
        keeping.gate(dst, written, cassette.exchanges, redactor)
    create(dst, written)
    return lost


def _refuse_unread(src: Path, cassette: Cassette) -> None:
    for index, exchange in enumerate(cassette.exchanges):
        for side, message in (("request", exchange.request), ("response", exchange)):
            encoding = message.header("content-encoding")
            if encoding is not None:
                need = {"br": "install brotli", "zstd": "install zstandard"}.get(encoding, "it is broken")
                reason = f"compressed ({encoding}), and what cannot be read cannot be sanitized; {need}"
                raise CassetteError(src, f"interactions[{index}].{side}: {reason}")


def _keys(cassette: Cassette) -> list[str]:
    """Keys that are not of the file's format and stay behind, in one line."""
    keys = list(cassette.extra)
    for index, exchange in enumerate(cassette.exchanges):
        for key, value in (exchange.extra or {}).items():
            below = [f"{key}.{name}" for name in value] if key in ("request", "response") else [key]
            keys += [f"exchanges[{index}].{name}" for name in below if name != "request.format"]
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return [f"keys: {', '.join(keys[:5])}{more}"] if keys else []


def _hashed(cassette: Cassette) -> list[str]:
    return [
        f"exchanges[{index}]: the body of the request, but for its hash"
        for index, exchange in enumerate(cassette.exchanges)
        if (body := exchange.request.body) is not None and vcrpy_writing.request_bytes(body) is None
    ]


def _token_endpoints(cassette: Cassette) -> list[str]:
    return [
        f"exchanges[{index}]: a token endpoint, which is never recorded, left out"
        for index, exchange in enumerate(cassette.exchanges)
        if is_token_endpoint(exchange.request.method, exchange.request.url)
    ]


def _portable(cassette: Cassette) -> Cassette:
    """What both formats have a place for; of other keys the layout of requests, which both bring back."""
    to_vcrpy = cassette.format == "convo"
    exchanges = [
        replace(
            exchange,
            test="" if to_vcrpy else exchange.test,
            extra={"request": {"format": layout}} if (layout := vcrpy_writing.layout(exchange)) else None,
        )
        for exchange in cassette.exchanges
        if not to_vcrpy or vcrpy_writing.holds(exchange)
    ]
    return replace(cassette, extra={}, exchanges=exchanges)


def _sanitized(cassette: Cassette, redactor: Redactor) -> Cassette:
    """As a recording is: what a later exchange gave away is looked for in the earlier ones, too."""
    redactor.reserve(cassette.exchanges)
    exchanges: Sequence[Exchange] = cassette.exchanges
    for _ in range(2):
        exchanges = [redactor.exchange(exchange) for exchange in exchanges]
    resendable = cassette.resendable and redactor.resendable
    kept = [one for one in exchanges if not is_token_endpoint(one.request.method, one.request.url)]
    return replace(cassette, resendable=resendable, exchanges=kept)


def pairs(src: Path, dst: Path) -> Iterator[tuple[Path, Path]]:
    """Each file of a folder, with where it goes: the same place under `dst`, as `.yaml`; `src` itself if it is a file.

    What is hidden is left out, and so are the blobs of our cassettes, which go with them.
    """
    if not src.is_dir():
        yield src, dst
        return
    for file in files(src):
        below = file.relative_to(src)
        yield file, dst / (_as_yaml(file, below) if below.suffix == ".json" else below)


def files(src: Path) -> Iterator[Path]:
    """The files of a folder that may be cassettes, in order; `src` itself if it is no folder."""
    if not src.is_dir():
        yield src
        return
    for file in sorted(src.rglob("*")):
        below = file.relative_to(src)
        if file.is_file() and not any(part.startswith(".") or part == "_blobs" for part in below.parts):
            yield file


def _as_yaml(file: Path, below: Path) -> Path:
    """Where a `.json` goes: `a.yaml`, or `a.json.yaml` where there is an `a.yaml` already."""
    return below.with_name(f"{below.name}.yaml") if file.with_suffix(".yaml").exists() else below.with_suffix(".yaml")


def is_expected(src: Path, error: CassetteError) -> bool:
    """Whether a file of a folder that could not be converted should have been; a file of another kind is only named."""
    if isinstance(error, vcrpy.NoCassette):
        return False
    if src.suffix:
        return src.suffix in SUFFIXES
    try:
        with src.open("rb") as opened:
            return _CASSETTES.search(opened.read(_LOOKED_AT)) is not None
    except OSError:
        return True
