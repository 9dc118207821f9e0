"""Replays what vcrpy's cassettes hold, request by request, and names what comes back otherwise.

    python tools/replay_vcrpy.py PATH… [--seed N]

Every file under the paths is looked at; YAML and JSON with a list of `interactions` are cassettes, the others are
named. Each recorded request is sent by a raw `httpx2.Client` inside `use_cassette(file)`, mode `none`, as it was
recorded: method, URL, headers (but hop-by-hop ones), body bytes. Different requests go in an order shuffled by the
seed, equal ones in recorded order. Status, body (decoded) and headers must come back as recorded.

What is expected is read here by PyYAML and the standard library, not by the reader under test. Exit code 1 where a
file is not replayed in full and `true_reason` does not say why.

1,200 files take about 10 s. The tests run a part of the corpus, and all of it where CONVO_CORPUS_ALL is set.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from convo_replay import CassetteError, ConvoFailure, use_cassette
from convo_replay.cassette import load
from convo_replay.transports.tokens import is_token_endpoint

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
OF_THE_ENCODING = frozenset({"content-encoding", "transfer-encoding", "content-length"})
"""Response headers that describe the body as it was sent; it is compared as it was read."""

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Recorded:
    """One interaction, as the file says it."""

    method: str
    url: str
    headers: Headers
    body: bytes
    status: int
    answer_headers: Headers
    answer: bytes | None
    """Decoded; `None` where it is compressed and broken, so that reading it raises `DecodingError`."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for requests that are the same one, sent again."""
        try:
            body = json.dumps(json.loads(self.body), sort_keys=True)
        except ValueError:
            body = repr(self.body)
        return self.method.upper(), self.url, body


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values for Python's tags: their only argument, or the bytes of a file's state."""


def _plain(loader: Any, _suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        items = loader.construct_sequence(node, deep=True)
        return items[0] if len(items) == 1 else tuple(items)
    held = loader.construct_mapping(node, deep=True)
    items = held.get("state") or held.get("args") or held.get("dictitems") or [b""]
    return items[0] if isinstance(items, (list, tuple)) else items


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _plain)


def interactions(data: bytes) -> list[Recorded] | None:
    """What a cassette of vcrpy's holds; `None` where the bytes are something else.

    Raises:
        ValueError, yaml.YAMLError: they have `interactions`, and cannot be read.
    """
    if b"interactions" not in data:
        return None
    try:
        value = json.loads(data)
    except ValueError:
        value = yaml.load(data, _Loader)
    found = value.get("interactions") if isinstance(value, dict) else None
    if not isinstance(found, list) or not all("uri" in item["request"] for item in found):
        return None
    return [_recorded(item["request"], item["response"]) for item in found]


def _recorded(asked: dict[str, Any], answered: dict[str, Any]) -> Recorded:
    status = answered["status"]["code"] if "status" in answered else answered["status_code"]
    headers = _headers(answered.get("headers"))
    return Recorded(
        asked["method"], asked["uri"], _headers(asked.get("headers")), _body(asked), status, headers,
        _decoded(_body(answered), headers),
    )  # fmt: skip


def _headers(value: Any) -> Headers:
    pairs = value.items() if isinstance(value, dict) else value or ()
    return [
        (name.lower(), one.decode("latin-1") if isinstance(one, bytes) else str(one))
        for name, several in pairs
        for one in (several if isinstance(several, (list, tuple)) else [several])
    ]


def _body(message: dict[str, Any]) -> bytes:
    if message.get("parsed_body") is not None:
        return json.dumps(message["parsed_body"]).encode()
    body = message.get("body", message.get("content"))
    if isinstance(body, dict):
        body = base64.b64decode(body["base64_string"]) if "base64_string" in body else body.get("string")
    if isinstance(body, (list, tuple)):
        body = b"".join(item if isinstance(item, bytes) else item.encode() for item in body)
    return body.encode() if isinstance(body, str) else body or b""


def _decoded(body: bytes, headers: Headers) -> bytes | None:
    encoding = [pair for pair in headers if pair[0] == "content-encoding"]
    try:
        return bytes(httpx2.Response(200, headers=encoding, content=body).content)
    except httpx2.DecodingError:
        # Most often it was recorded without its encoding, which the header still names.
        return None if body.startswith(b"\x1f\x8b") else body


def in_order(recorded: Sequence[Recorded], seed: int) -> list[Recorded]:
    """Shuffled; equal requests among each other as they were recorded."""
    places = list(range(len(recorded)))
    random.Random(seed).shuffle(places)
    alike: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place in sorted(places, reverse=True):
        alike[recorded[place].key].append(place)
    return [recorded[alike[recorded[place].key].pop()] for place in places]


@dataclass
class Result:
    """What came of one file."""

    path: Path
    exchanges: int = 0
    replayed: int = 0
    loaded: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    explained: int = 0


def replay(path: Path, recorded: Sequence[Recorded], seed: int = 0) -> Result:
    """Loads one cassette and replays it."""
    result = Result(path, len(recorded))
    try:
        found = len(load(path).exchanges)
    except CassetteError as error:
        result.reasons[f"not loaded: {error}"] += 1
        return result
    result.loaded = found == len(recorded)
    if not result.loaded:
        result.reasons[f"{found} exchanges loaded of {len(recorded)}"] += 1
    # After a miss a conversation refuses all else, so the first miss of a file is the last request that is sent.
    try:
        with use_cassette(path, unplayed="ignore"), httpx2.Client(trust_env=False) as client:
            for one in in_order(recorded, seed):
                reason = true_reason(one)
                difference = "" if reason else _difference(one, client)
                if difference:
                    result.reasons[f"{one.method} {one.url}: {difference}"] += 1
                elif reason:
                    result.reasons[reason] += 1
                    result.explained += 1
                else:
                    result.replayed += 1
    except (ConvoFailure, Exception) as failure:
        result.reasons[f"{type(failure).__name__}: {failure}"] += 1
    return result


def true_reason(one: Recorded) -> str:
    """Why an exchange cannot come back as recorded, where that is as it should be; else nothing."""
    if is_token_endpoint(one.method, one.url):
        return "a token endpoint: answered with a synthetic token, never with a recorded one"
    if httpx2.URL(one.url).scheme not in ("http", "https"):
        return f"no URL that could be asked for: {one.url!r}"
    return ""


def _difference(one: Recorded, client: httpx2.Client) -> str:
    skip = HOP_BY_HOP | {"content-length"}
    headers = [(name.encode(), value.encode()) for name, value in one.headers if name not in skip]
    request = client.build_request(one.method, one.url, headers=headers, content=one.body)
    try:
        response = client.send(request)
    except httpx2.HTTPError as error:
        return "" if one.answer is None and isinstance(error, httpx2.DecodingError) else repr(error)
    if response.status_code != one.status:
        return f"status {response.status_code}, recorded {one.status}"
    if response.content != one.answer:
        return f"a body of {len(response.content)} bytes, recorded {len(one.answer or b'')}, or others"
    came = [pair for pair in response.headers.multi_items() if pair[0] not in OF_THE_ENCODING]
    expected = [pair for pair in one.answer_headers if pair[0] not in OF_THE_ENCODING]
    if sorted(came) != sorted(expected):
        return f"headers {sorted(set(came) ^ set(expected))}"
    return ""


def files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Pairs (path given, file under it); what is hidden is left out."""
    for path in paths:
        if path.is_file():
            yield path.parent, path
        else:
            for file in sorted(path.rglob("*")):
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
                    yield path, file


def main(arguments: Sequence[str] | None = None) -> int:
    """The table, the files that are not replayed in full, and the files that are no cassettes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the order in which different requests are sent")
    options = parser.parse_args(arguments)
    folders: defaultdict[str, list[Result]] = defaultdict(list)
    foreign: list[Path] = []
    for root, file in files(options.paths):
        try:
            recorded = interactions(file.read_bytes())
        except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            folders[_folder(root, file)].append(Result(file, reasons=Counter({f"not read: {error!r}": 1})))
            continue
        if recorded is None:
            foreign.append(file)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                folders[_folder(root, file)].append(replay(file, recorded, options.seed))
    for file in foreign:
        print(f"no cassette of vcrpy's: {file}")
    if not folders:
        parser.error(f"no cassette of vcrpy's under {', '.join(map(str, options.paths))}")
    return _report(folders)


def _folder(root: Path, file: Path) -> str:
    """The table's row: the folder given, and the one below it."""
    below = file.relative_to(root).parts
    return f"{root.resolve().name}/{below[0] if len(below) > 1 else ''}"


def _report(folders: dict[str, list[Result]]) -> int:
    width = max(map(len, [*folders, "all"]), default=3)
    print(f"{'':{width}}  {'files':>6} {'loaded':>6} {'exchanges':>9} {'replayed':>8}")
    rows = [*folders.items(), ("all", [result for results in folders.values() for result in results])]
    for name, results in rows:
        loaded = sum(result.loaded for result in results)
        exchanges, replayed = (sum(getattr(r, what) for r in results) for what in ("exchanges", "replayed"))
        print(f"{name:{width}}  {len(results):>6} {loaded:>6} {exchanges:>9} {replayed:>8}")
    unexplained = 0
    for result in rows[-1][1]:
        if not result.loaded or result.replayed < result.exchanges:
            print(f"\n{result.path}: {result.replayed} of {result.exchanges}")
            for reason, count in result.reasons.items():
                print(f"  {count} × {reason}")
            unexplained += not result.loaded or result.replayed + result.explained < result.exchanges
    print(f"\n{unexplained} files without a true reason" if unexplained else "\nnothing is left unexplained")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
