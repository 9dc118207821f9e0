"""The proof by planting: every kind in every place and every encoding, recorded over a socket, then searched for.

Nothing here knows how redaction works. A cell records with the real SDKs from a server in another process into a real
file, takes every file that was written apart (`planted.survivors`), and replays with nobody listening: with the same
value, with another one, and where the value was known (`secrets=`, a variable, a header) without knowing it.

`make test` runs a sample that differs by nothing but its size. `CONVO_PLANTED=500` takes so many cells, `500:7`
others and other values, `all` all of them; each prints its counts.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import convo_replay
from faulty_server import Admin, FaultyServer
from forking import SDKS
from live.planted import BY_NAME, ENCODINGS, KINDS, Kind, environment, settings
from live.planted_asks import Answer, Ask, Place, as_json, claude, completion, message, user
from live.planted_places import PLACES
from live.planted_streams import AFTER, BEFORE, GRAMMARS, SPLITS, frames, streams
from live.planting import Bench
from live.surviving import haystack, needles, survivors

ASKED, _, SEED = os.environ.get("CONVO_PLANTED", "").partition(":")
ALL = ASKED == "all"
CELLS = int(ASKED) if ASKED and not ALL else 40
FIRST, SECOND = f"{SEED}1", f"{SEED}2"
"""Of these a kind makes its values."""
Report = dict[str, list[str]]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with FaultyServer() as server:
        admin = Admin(server.ports)
        yield Bench(admin)
        admin.close()


def use(path: Path, live: bool, **options: Any) -> Any:
    options = {"intercept": ["127.0.0.1"], "validate": "off", "max_requests": 10**7, **options}
    return convo_replay.use_cassette(path, record="once" if live else "none", **options)


def sample(cells: list[Any], share: float, seed: object) -> list[Any]:
    """That share of as many cells as are asked for; all of them where they are few."""
    size = min(round(share * CELLS) or 1, len(cells))
    return cells if ALL else random.Random(f"planted {seed} {SEED}").sample(cells, size)


def told(cell: str, error: BaseException) -> str:
    return f"{cell}: {type(error).__name__}: {str(error)[:400]}"


class Cell:
    """One kind, one place, one encoding, one mode."""

    def __init__(self, bench: Bench, folder: Path, kind: Kind, place: str, encoding: str, mode: str) -> None:
        self.bench, self.folder, self.kind, self.mode = bench, folder, kind, mode
        self.name, self.place, self.encode = place, PLACES[place], ENCODINGS[encoding]
        self.key = bench.key()
        self.path = folder / "cassettes" / "planted.yaml"

    def go(self, live: bool, value: str, known: bool = True) -> list[str]:
        environ = environment(self.kind, value) if known else {}
        header = self.kind.known.removeprefix("header ") if self.kind.known.startswith("header") and known else ""
        os.environ.update(environ)
        try:
            with use(self.path, live, **(settings(self.kind, value) if known else {})):
                place = self.place(self.encode(self.kind.text(value)))
                return self.bench.run(place, self.key, self.mode, live, {header: value} if header else None)
        finally:
            for name in environ:
                del os.environ[name]

    def problems(self) -> Iterator[str]:
        first, second = self.kind.value(FIRST), self.kind.value(SECOND)
        self.go(True, first)
        if not [file for file in self.folder.rglob("*.yaml") if file.stat().st_size]:
            yield "nothing was written"
        if found := survivors(self.folder, self.kind.secret(first)):
            yield f"survived: {', '.join(sorted(found))}"
        replays = {"the same": (first, True), "another": (second, True)}
        if self.kind.known and self.name not in NEEDS_KNOWING:
            replays["the same, unknown now"] = (first, False)
        for name, (value, known) in replays.items():
            try:
                self.go(False, value, known)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                yield told(f"replay with {name}", error)


def proved(bench: Bench, folder: Path, cells: list[tuple[Kind, str, str, str]]) -> Report:
    report: Report = {}
    for number, (kind, place, encoding, mode) in enumerate(cells):
        if (kind.name, place) in EXCEPT or (kind.name, encoding) in EXCEPT:
            continue
        below = folder / str(number)
        try:
            found = list(Cell(bench, below, kind, place, encoding, mode).problems())
        except (Exception, convo_replay.ConvoFailure) as error:
            found = [told("recording", error)]
        if found:
            report[f"{kind.name} | {place} | {encoding} | {mode}"] = found
        shutil.rmtree(below, ignore_errors=True)
    return report


def show(capsys: pytest.CaptureFixture[str], what: str) -> None:
    if ASKED:
        with capsys.disabled():
            print(f"\nplanted: {what}")


NEEDS_KNOWING = {"MCP server", "multipart large", "large prompt"}
"""Places whose recorded form cannot stand for any text: a credential by its place as well, or kept as a hash."""

EXCEPT: set[tuple[str, str]] = set()
"""Kind and place, or kind and encoding, that mean nothing together."""


def test_there_are_enough_kinds_and_places() -> None:
    assert len(KINDS) >= 60
    assert len(PLACES) >= 80
    assert len(ENCODINGS) >= 15


def test_the_search_finds_what_it_should(tmp_path: Path) -> None:
    """Else everything below would pass."""
    for kind, encoding in sample([(kind, encoding) for kind in KINDS for encoding in ENCODINGS], 2, "search"):
        value = kind.value(1)
        (tmp_path / "file.txt").write_text(f"a: 1\nb: {ENCODINGS[encoding](kind.text(value))}\n")
        assert all(survivors(tmp_path, [secret]) for secret in kind.secret(value)), f"{kind.name}, {encoding}"
        assert not survivors(tmp_path, kind.secret(kind.value(2))), f"{kind.name}, {encoding}"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_every_kind_in_every_place(mode: str, bench: Bench, tmp_path: Path, capsys) -> None:
    cells = sample([(kind, place, "plain", mode) for kind in KINDS for place in PLACES], 0.3, mode)
    report = proved(bench, tmp_path, cells)
    show(capsys, f"{len(cells)} cells ({len(KINDS)} kinds, {len(PLACES)} places, {mode}), {len(report)} with a problem")
    assert not report, json.dumps(report, indent=1)


TEXTS = ["prompt", "tool result", "streamed text", "streamed arguments", "URL query", "text body", "error body",
         "multipart file"]  # fmt: skip


def test_every_kind_in_every_encoding(bench: Bench, tmp_path: Path, capsys) -> None:
    cells = sample([(kind, place, how, "sync") for kind in KINDS for place in TEXTS for how in ENCODINGS], 0.3, "texts")
    report = proved(bench, tmp_path, cells)
    show(capsys, f"{len(cells)} cells ({len(KINDS)} kinds, {len(TEXTS)} places, {len(ENCODINGS)} encodings), "
                 f"{len(report)} with a problem")  # fmt: skip
    assert not report, json.dumps(report, indent=1)


# Streams.


def only(ask: Ask) -> Place:
    yield ask


def split_problems(bench: Bench, path: Path, kind: Kind, name: str, values: list[str], wholes: list[str], ask: Ask,
                   mode: str) -> Iterator[str]:  # fmt: skip
    key = bench.key()
    known = {"secrets": values} if kind.known == "secrets" else settings(kind, values[0])
    environ = {f"SERVICE_{n}_TOKEN": value for n, value in enumerate(values)} if kind.known == "env" else {}
    os.environ.update(environ)
    try:
        with use(path, True, **known):
            recorded = bench.run(only(ask), key, mode, True)
        text = "\0".join([*haystack(path.parent), *bedrock_texts(path.parent)])
        survived = [value for value in values for secret in kind.secret(value)
                    if any(part in text for part in needles(secret)["plain"])]  # fmt: skip
        if survived:
            yield f"{len(survived)} of {len(values)} survived"
        with use(path, False, **known):
            replayed = bench.run(only(ask), key, mode, False)
        if name in RAW:
            return
        if recorded[0] != "".join(wholes):
            yield "the application saw something else than the server said"
        if problem := damage(kind, replayed[0], wholes):
            yield problem
    finally:
        for variable in environ:
            del os.environ[variable]


RAW = {"Gemini", "Bedrock", "JSON lines", "chat refusal"}
"""Of which `Bench` shows the body as it is, or nothing."""


def bedrock_texts(folder: Path) -> Iterator[str]:
    """What the frames of recorded Bedrock streams say, their checksums being right."""
    import base64

    import yaml

    for file in folder.rglob("*.yaml"):
        for exchange in yaml.safe_load(file.read_text())["exchanges"]:
            response = exchange["response"]
            if "eventstream" not in str(response.get("headers")):
                continue
            blob = f"_blobs/{response['blob']['sha256']}.*" if "blob" in response else ""
            data = next(folder.glob(blob)).read_bytes() if blob else base64.b64decode(response["base64"])
            yield "".join(event.get("delta", {}).get("text", "") for event in frames(data))


def damage(kind: Kind, said: str, wholes: list[str]) -> str:
    """Whether what stands around the values is still there, in every block."""
    if wholes[0].startswith("{"):
        decoder, at, count = json.JSONDecoder(), 0, 0
        while at < len(said):
            try:
                _, at = decoder.raw_decode(said, at)
            except ValueError as error:
                return f"no JSON any more: {error}"
            count += 1
        return "" if count == len(wholes) else f"{count} of {len(wholes)} JSON texts"
    blocks = said.split(AFTER[-1])[:-1]
    if len(blocks) != len(wholes):
        return f"{len(blocks)} of {len(wholes)} texts have their end"
    if not all(block.startswith(BEFORE) and block.endswith(AFTER[:-1]) for block in blocks):
        return "what stood around a value is gone"
    return ""


@pytest.mark.parametrize("split", SPLITS)
def test_streams_split_at_every_position(split: str, bench: Bench, tmp_path: Path, capsys) -> None:
    kinds = [kind for kind in KINDS if not kind.known.startswith("header")]
    cells = sample([(kind, name) for kind in kinds for name in GRAMMARS], 0.025, split)
    report: Report = {}
    count = 0
    for number, (kind, name) in enumerate(cells):
        grammar = GRAMMARS[name]
        mode = "async" if number % 2 else "sync"
        stride = (1 if ALL else 16) if grammar.most > 1 else (9 if ALL else 40)
        for values, wholes, ask in streams(kind, grammar, SPLITS[split], split + SEED, stride):
            count += len(values)
            path = tmp_path / f"{number}-{count}" / "split.yaml"
            try:
                found = list(split_problems(bench, path, kind, name, values, wholes, ask, mode))
            except (Exception, convo_replay.ConvoFailure) as error:
                found = [told("stream", error)]
            if found:
                report.setdefault(f"{kind.name} | {name} | {mode}", []).extend(found)
            shutil.rmtree(path.parent, ignore_errors=True)
    show(capsys, f"{count} values split {split} in {len(cells)} streams' kinds, {len(report)} with a problem")
    assert not report, json.dumps(report, indent=1)


# Values known by where they stand.

USER = [{"role": "user", "content": "Hello"}]
PLAIN = as_json(completion())


def with_header(name: str, value: str) -> Answer:
    return as_json({}, headers=[(name, value)])


PLACED: dict[str, tuple[str, Any]] = {
    "metadata.user_id": ("", lambda v: claude(metadata={"user_id": v})),
    "container": ("container_01", lambda v: claude(extra_body={"container": v})),
    "container.id": ("container_01", lambda v: claude(extra_body={"container": {"id": v, "skills": []}})),
    "file_id": ("file_01", lambda v: claude(messages=[{"role": "user", "content": [
        {"type": "document", "source": {"type": "file", "file_id": v}}]}])),
    "mcp_servers.authorization_token": ("", lambda v: claude(extra_body={"mcp_servers": [
        {"type": "url", "name": "m", "url": "https://mcp.acme-corp.com/sse", "authorization_token": v}]})),
    "user": ("", lambda v: Ask("openai", "chat.completions.create", PLAIN, {
        "model": "m", "messages": USER, "user": v})),
    "safety_identifier": ("", lambda v: Ask("openai", "chat.completions.create", PLAIN, {
        "model": "m", "messages": USER, "safety_identifier": v})),
    "prompt_cache_key": ("", lambda v: Ask("openai", "chat.completions.create", PLAIN, {
        "model": "m", "messages": USER, "prompt_cache_key": v})),
    "x-api-key": ("", lambda v: claude(extra_headers={"x-api-key": v})),
    "authorization": ("", lambda v: claude(extra_headers={"authorization": f"Bearer {v}"})),
    "api-key": ("", lambda v: claude(extra_headers={"api-key": v})),
    "x-goog-api-key": ("", lambda v: claude(extra_headers={"x-goog-api-key": v})),
    "proxy-authorization": ("", lambda v: claude(extra_headers={"proxy-authorization": f"Basic {v}"})),
    "SigV4": ("", lambda v: claude(extra_headers={"x-amz-security-token": v, "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIA" + "IOSFODNN7EXAMPLE/20261122/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders=host, Signature={v}")})),
    "cookie": ("", lambda v: claude(extra_headers={"cookie": f"session={v}"})),
    "openai-organization": ("org-", lambda v: claude(extra_headers={"openai-organization": v})),
    "openai-project": ("proj_", lambda v: claude(extra_headers={"openai-project": v})),
    "anthropic-workspace-id": ("wrkspc_", lambda v: claude(extra_headers={"anthropic-workspace-id": v})),
    "anthropic-user-profile-id": ("uprof_", lambda v: claude(extra_headers={"anthropic-user-profile-id": v})),
    "x-goog-user-project": ("acme-", lambda v: claude(extra_headers={"x-goog-user-project": v})),
    "custom header": ("", lambda v: claude(extra_headers={"x-internal-tenant": v})),
    "user-agent": ("", lambda v: claude(extra_headers={"user-agent": f"agent/1 ({v})"})),
    "?key=": ("", lambda v: Ask("raw", "GET", PLAIN, {}, f"/v1/models?key={v}")),
    "?access_token=": ("", lambda v: Ask("raw", "GET", PLAIN, {}, f"/v1/models?access_token={v}")),
    "userinfo": ("", lambda v: Ask("raw", "GET", PLAIN, {}, "/v1/models", userinfo=f"svc:{v}@")),
    "set-cookie": ("", lambda v: Ask("raw", "GET", with_header("set-cookie", f"__cf_bm={v}; HttpOnly"), {}, "/v1/m")),
    "cf-ray": ("", lambda v: Ask("raw", "GET", with_header("cf-ray", v), {}, "/v1/m")),
    "request-id": ("req_01", lambda v: Ask("raw", "GET", with_header("request-id", v), {}, "/v1/m")),
    "x-request-id": ("", lambda v: Ask("raw", "GET", with_header("x-request-id", v), {}, "/v1/m")),
    "x-amzn-requestid": ("", lambda v: Ask("raw", "GET", with_header("x-amzn-requestid", v), {}, "/v1/m")),
    "x-generation-id": ("gen-", lambda v: Ask("raw", "GET", with_header("x-generation-id", v), {}, "/v1/m")),
    "x-litellm-key": ("", lambda v: Ask("raw", "GET", with_header("x-litellm-key-hash", v), {}, "/v1/m")),
    "request_id of an error": ("req_01", lambda v: claude(Answer([json.dumps({
        "type": "error", "request_id": v, "error": {"type": "api_error", "message": "x"}}).encode()], status=500))),
}  # fmt: skip


def test_values_known_by_their_place(bench: Bench, tmp_path: Path, capsys) -> None:
    report: Report = {}
    cells = sample(list(PLACED.items()), 0.3, "places")
    for number, (name, (prefix, make)) in enumerate(cells):
        kind = Kind(
            name, lambda dice, prefix=prefix: prefix + "".join(dice.choices("ABCDEFGHJKabcdefghjk23456789", k=22))
        )
        first, second = kind.value(FIRST), kind.value(SECOND)
        path, key = tmp_path / str(number) / "placed.yaml", bench.key()
        mode = "async" if number % 2 else "sync"
        try:
            with use(path, True):
                bench.run(only(make(first)), key, mode, True)
            found = [f"survived: {each}" for each in survivors(path.parent, [first])]
            for value in (first, second):
                with use(path, False):
                    bench.run(only(make(value)), key, mode, False)
        except (Exception, convo_replay.ConvoFailure) as error:
            found = [told("run", error)]
        if found:
            report[name] = found
    show(capsys, f"{len(cells)} values known by their place, {len(report)} with a problem")
    assert not report, json.dumps(report, indent=1)


def test_one_secret_in_header_url_and_body_at_once(bench: Bench, tmp_path: Path) -> None:
    """Of no known shape: the header says what it is, and it is found wherever else it stands."""
    kind = Kind("tenant", lambda dice: "".join(dice.choices("ABCDEFGHJKabcdefghjk23456789", k=28)))

    def ask(value: str) -> Place:
        said = yield Ask("raw", "POST", as_json(message({"type": "text", "text": f"Yes, {value}."})), {
            "headers": {"x-api-key": value}, "json": {"model": "m", "max_tokens": 9, **user(f"it is {value}")},
        }, f"/v1/messages?q={value}", userinfo=f"svc:{value}@")  # fmt: skip
        assert "Yes, " in said
        yield claude(**user(f"again {value}"))

    path, key = tmp_path / "c" / "everywhere.yaml", bench.key()
    for live, seed in ((True, 1), (False, 1), (False, 2)):
        with use(path, live):
            bench.run(ask(kind.value(seed)), key, "sync", live)
    assert not survivors(path.parent, [kind.value(1)])


# Order, and who is who.


@pytest.mark.parametrize("known", ["the same", "others"])
def test_twenty_at_once_in_another_order(known: str, upstream, cassette: Path) -> None:
    """They differ in their question and in a key; each gets the answer to its question."""
    import asyncio

    from live.callers import async_client, body

    kind = BY_NAME["anthropic"]

    async def ask(base: str, order: list[int], seed: str) -> dict[int, str]:
        async with async_client(base) as api:

            async def one(n: int) -> tuple[int, str]:
                text = f"Key {kind.value(f'{seed}{n}')}, question {n}"
                return n, (await api.messages.create(**body(text))).content[0].text

            return dict(await asyncio.gather(*map(one, order)))

    order = list(range(20))
    url = upstream.url("text,spread=0.05")
    with use(cassette, True):
        recorded = asyncio.run(ask(url, order, "a"))
    assert not survivors(cassette.parent, [kind.value(f"a{n}") for n in order])
    upstream.stop()
    seed = "a" if known == "the same" else "b"
    random.Random(5).shuffle(order)
    with use(cassette, False):
        replayed = asyncio.run(ask(url, order, seed))
    assert sorted(replayed) == sorted(recorded)
    assert all(answer.endswith(f", question {n}") for n, answer in replayed.items())


TWO_TESTS = """
import anthropic, pytest

def ask(email):
    with anthropic.Anthropic(api_key="x", base_url=URL, max_retries=0) as api:
        messages = [{"role": "user", "content": f"Who is {email}?"}]
        return api.messages.create(model="m", max_tokens=9, messages=messages).content[0].text

@pytest.mark.convo(cassette="cassettes/shared.yaml")
def test_a():
    assert ask(EMAILS[0]) == "The first."

@pytest.mark.convo(cassette="cassettes/shared.yaml")
def test_b():
    assert ask(EMAILS[1]) == "The second."
"""


def test_two_tests_that_differ_only_in_an_email(bench: Bench, project) -> None:
    """They share a cassette, and ask in the other order when it is replayed, with other addresses too."""
    kind, key = BY_NAME["email"], bench.key()
    bench.script(key, [as_json(message({"type": "text", "text": text})) for text in ("The first.", "The second.")])

    def write(port: str, *seeds: int) -> list[str]:
        emails = [kind.value(seed) for seed in seeds]
        url = f"http://127.0.0.1:{bench.admin.ports[port]}/{key}"
        project.write("test_two.py", f"URL = {url!r}\nEMAILS = {emails!r}\n{TWO_TESTS}")
        return emails

    emails = write("data", 1, 2)
    both = ["test_two.py::test_a", "test_two.py::test_b"]
    assert sorted(project.run("--convo-record=once", *both, also=SDKS).passed) == ["test_a", "test_b"]
    cassette = next(project.directory.rglob("shared.yaml"))
    assert not survivors(cassette.parent, emails)
    for seeds in ((1, 2), (3, 4)) if ALL else ((3, 4),):
        write("refused", *seeds)
        assert sorted(project.run(*reversed(both), also=SDKS).passed) == ["test_a", "test_b"]
