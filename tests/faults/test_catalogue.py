"""The catalogue: which faults there are, how they are read, what others add, and how it is printed."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from rich.console import Console

from convo_replay.cli import main
from convo_replay.exchange import Exchange, Steps
from convo_replay.faults import outcomes, parse
from convo_replay.faults.catalogue import _ABOUT, catalogue, read, usage
from convo_replay.faults.fault import Fault
from convo_replay.faults.status import Status
from convo_replay.reporting.fault_rows import Page, rows

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "convo_replay" / "faults"
NAMES = [
    "status", "redirect", "connect", "timeout", "disconnect", "cut", "stall", "truncated_json", "empty", "html",
    "content_type", "gzip", "foreign_json", "json_value", "no_content", "bad_utf8", "error", "error_text",
    "error_unnamed", "malformed", "empty_data", "null_data", "no_terminal", "duplicate", "drop", "reorder",
    "repeat", "unnamed", "wrong_index", "unknown_event", "unknown_delta", "unknown_block", "usage_missing",
    "choices_empty", "choices_null", "bom", "json_instead_of_stream", "keepalive", "slow", "junk",
    "tool_arguments", "unknown_tool", "tool_truncated", "noop", "rechunk", "crlf", "cr", "comments",
    "multiline", "pings",
]  # fmt: skip
OF_OTHER_PROVIDERS = {36, 55, 56, 57}  # rows of the Responses API and of Bedrock


def test_every_fault_there_is() -> None:
    assert sorted(catalogue()) == sorted(NAMES)
    order = [fault.kind for fault in catalogue().values()]
    assert list(dict.fromkeys(order)) == ["connect", "head", "status", "body", "stream", "tools", "benign"]


@pytest.mark.parametrize("name", NAMES)
def test_one_fault_one_file(name: str) -> None:
    fault = catalogue()[name]
    path = FOLDER / f"{name}.py"
    assert fault.__module__ == f"convo_replay.faults.{name}"
    assert fault.__name__ == "".join(part.capitalize() for part in name.split("_"))
    assert 15 <= len(path.read_text("utf-8").splitlines()) <= 100
    assert dataclasses.is_dataclass(fault)
    assert 5 < len(fault.summary) < 80
    assert fault.__doc__
    assert f"`{name}" in fault.__doc__ or name == "status"
    assert re.search(r"row|§", fault.source) or name == "noop"
    for field in dataclasses.fields(fault):
        assert field.metadata["help"] or field.metadata["choices"]
    for text in fault.outcomes.values():
        assert re.match(r"(anthropic|openai|httpx2|json|normal|result|silent|\w+Error)\b", text), text


def test_every_row_of_the_protocol_has_a_fault() -> None:
    covered: set[int] = set()
    for fault in catalogue().values():
        for first, last in re.findall(r"(?<![§.\d])(\d+)(?:-(\d+))?(?![.\d])", fault.source):
            covered |= set(range(int(first), int(last or first) + 1))
    assert covered == set(range(1, 58)) - OF_OTHER_PROVIDERS


def test_outcomes_name_calls_that_there_are() -> None:
    calls = {f"{sdk} {call}" for sdk in outcomes.SDKS for call in outcomes.CALLS}
    for fault in catalogue().values():
        assert fault.outcomes
        words = {key.rpartition(" ")[0].rpartition(" ")[0] for key in fault.outcomes} - {""}
        assert {" ".join(key.split()[-2:]) for key in fault.outcomes} <= calls
        for word in words:  # each is one that a spec may have
            assert read(fault.name, [("", word)]).settings()[:1] in (
                [],
                [(dataclasses.fields(fault)[0].name, *_value(word))],
            )


def _value(word: str) -> tuple[Any, bool]:
    return (int(word) if word.isdecimal() else word), True


# --- reading --------------------------------------------------------------------------------------

READ: list[tuple[str, list[tuple[str, str]], dict[str, Any]]] = [
    ("429", [], {"code": 429}),
    ("status", [("", "503")], {"code": 503}),
    ("status", [("code", "503")], {"code": 503}),
    ("429", [("retry_after", "2")], {"code": 429, "retry_after": "2"}),
    ("429", [("retry_after", "Wed, 21 Oct 2026 07:28:00 GMT")], {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
    ("529", [("should_retry", "true"), ("body", "empty")], {"code": 529, "should_retry": True, "body": "empty"}),
    ("cut", [("", "reset")], {"how": "reset"}),
    ("slow", [("", "2.5")], {"seconds": 2.5}),
    ("slow", [], {"seconds": 5.0}),
    ("rechunk", [("size", "7")], {"size": 7}),
    ("error", [("", "overloaded_error")], {"type": "overloaded_error"}),
    ("noop", [], {}),
]


@pytest.mark.parametrize(("name", "arguments", "settings"), READ)
def test_a_fault_is_read(name: str, arguments: list[tuple[str, str]], settings: dict[str, Any]) -> None:
    fault = read(name, arguments)
    assert {key: getattr(fault, key) for key in settings} == settings
    assert read(name, arguments) == fault


WRONG: list[tuple[str, list[tuple[str, str]], str]] = [
    ("cutt", [], "there is no fault 'cutt'; do you mean cut? (all: convo-replay faults)"),
    ("tool_argument", [], "there is no fault 'tool_argument'; do you mean tool_arguments"),
    ("zzz", [], "there is no fault 'zzz' (all: convo-replay faults)"),
    ("catalogue", [], "there is no fault 'catalogue'"),
    ("cut", [], "cut needs one of reset, eof, chunk, length, garbage: cut:reset|eof|chunk|length|garbage@E"),
    ("status", [], "status needs code (the status: 300 to 999): status:CODE[,retry_after=…"),
    ("cut", [("", "rset")], "cut: how is 'rset', expected one of reset, eof, chunk, length, garbage; do you mean res"),
    ("cut", [("", "reset"), ("", "eof")], "cut takes no word 'eof': cut:reset|eof"),
    ("noop", [("", "x")], "noop takes no word 'x': noop"),
    ("429", [("retry-after", "2")], "status has no setting 'retry-after'; do you mean retry_after=?: status:CODE"),
    ("429", [("zzz", "2")], "status has no setting 'zzz': status:CODE"),
    ("429", [("retry_after", "2"), ("retry_after", "3")], "status has retry_after= twice"),
    ("429", [("code", "3")], "status has code= twice"),
    ("429", [("should_retry", "yes")], "status: should_retry is 'yes', expected true or false"),
    ("429", [("body", "text")], "status: body is 'text', expected one of json, html, empty"),
    ("status", [("", "abc")], "status: code is 'abc', expected a whole number"),
    ("status", [("", "204")], "status: code is 204, expected 300 to 999 (a 204 is no_content)"),
    ("slow", [("", "soon")], "slow: seconds is 'soon', expected a number"),
    ("slow", [("", "nan")], "slow: seconds is nan, expected more than 0"),
    ("rechunk", [("", "0")], "rechunk: size is 0, expected 1 or more"),
    ("redirect", [("", "300")], "redirect: code is 300, expected one of 301, 302, 303, 307, 308"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "said"), WRONG, ids=[said[:40] for *_, said in WRONG])
def test_what_cannot_be_read_says_what_there_is(name: str, arguments: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read(name, arguments)


def test_numbers_of_objects_are_those_of_specs() -> None:
    spec = [("retry_after", "1000000"), ("retry_after_ms", "0.5")]
    assert Status(429, retry_after=1_000_000, retry_after_ms=0.5) == read("429", spec)


def test_every_sample_is_read_back_from_what_it_prints() -> None:
    for fault in catalogue().values():
        for sample in fault.samples():
            place = "@1" if fault.positions != "none" and fault.position_needed else ""
            (plan,) = parse(f"{sample}{place}")
            assert plan.specs[0].fault == sample


def test_how_a_fault_is_written() -> None:
    assert usage(catalogue()["connect"]) == "connect:refused|dns|tls|not-tls"
    assert usage(catalogue()["error"]) == "error[:TYPE]@EVENT"
    assert usage(catalogue()["bad_utf8"]) == "bad_utf8[@EVENT or @bBYTE]"
    assert usage(catalogue()["status"]).endswith("should_retry=true|false,body=json|html|empty,type=…]")


# --- faults of other packages ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Hiccup(Fault):
    name = "hiccup"
    kind = "stream"
    summary = "the server hiccups"
    loud: bool | None = None
    origin: ClassVar[Unknown] = "nowhere"  # type: ignore[name-defined]  # noqa: F821 - annotations are not evaluated

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        return (*before, *after)


class Thawed(Fault):
    name = "hiccup"
    kind = "stream"
    summary = "no dataclass"


@dataclasses.dataclass(frozen=True)
class Unsaid(Fault):
    name = "hiccup"
    kind = "stream"


@dataclasses.dataclass(frozen=True)
class Elsewhere(Hiccup):
    kind = "weather"  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class Nowhere(Hiccup):
    positions = "moon"  # type: ignore[assignment]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes an object what another package registers under a name."""

    import convo_replay.faults.catalogue  # noqa: F401 - the module, which the package's function hides

    module = sys.modules["convo_replay.faults.catalogue"]

    def as_entry_point(name: str, loaded: Any) -> None:
        def load(_point: EntryPoint) -> Any:
            if isinstance(loaded, Exception):
                raise loaded
            return loaded

        monkeypatch.setattr(EntryPoint, "load", load)
        monkeypatch.setattr(module, "entry_points", lambda group: [EntryPoint(name, "acme:Fault", group)])
        catalogue.cache_clear()

    yield as_entry_point
    catalogue.cache_clear()


def test_a_fault_of_another_package_is_found(register: Callable[..., None]) -> None:
    register("hiccup", Hiccup)
    assert read("hiccup", [("loud", "true")]) == Hiccup(loud=True)
    assert set(catalogue()) == {*NAMES, "hiccup"}
    assert read("hiccup", []) == Hiccup()
    assert str(parse("hiccup@t1x2")[0]) == "hiccup@t1x2"


def test_one_with_the_name_of_a_built_in_takes_its_place(register: Callable[..., None]) -> None:
    @dataclasses.dataclass(frozen=True)
    class Quiet(Hiccup):
        name = "noop"

    register("noop", Quiet)
    assert sorted(catalogue()) == sorted(NAMES)
    assert read("noop", []) == Quiet()


REFUSED = [
    (ImportError("no acme"), "cannot be imported: ImportError('no acme'); fix or uninstall it"),
    (Hiccup(), "is no fault: expected a subclass of convo_replay.faults.fault.Fault"),
    (dict, "is no fault: expected a subclass of convo_replay.faults.fault.Fault"),
    (Thawed, "is no fault: expected a frozen dataclass: @dataclass(frozen=True)"),
    (Unsaid, "is no fault: it has no summary"),
    (Elsewhere, "is no fault: its kind is 'weather', expected one of connect, head"),
    (Nowhere, "is no fault: its positions are 'moon', expected one of none, events, any"),
]


@pytest.mark.parametrize(("loaded", "said"), REFUSED, ids=[said[:50] for _, said in REFUSED])
def test_what_is_no_fault_is_named(
    loaded: Any, said: str, register: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    register("hiccup", loaded)
    with pytest.raises(RuntimeError, match=re.escape(f"entry point convo_replay.faults: hiccup = acme:Fault {said}")):
        catalogue()
    assert main(["faults"]) == 2
    assert f"hiccup = acme:Fault {said}" in capsys.readouterr().err


def test_a_name_that_is_not_the_entry_points(register: Callable[..., None]) -> None:
    register("Hic-Cup", Hiccup)
    with pytest.raises(RuntimeError, match=r"its name is 'hiccup': expected the entry point's, in small letters"):
        catalogue()


# --- printing -------------------------------------------------------------------------------------


def test_the_command_prints_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    for row in rows():
        assert f"\n  {row.spec}\n    {row.description[:40]}" in printed
    assert "\n50 faults\na spec: NAME[:ARG,…][@WHERE][#MODEL][xTIMES]; e.g." in printed
    assert "\n  529\n    Overloaded\n    anthropic: OverloadedError, after 3 requests\n    openai: Inter" in printed
    assert "\n    raw, stream, anthropic: httpx2.ReadError (bare)\n" in printed
    for line in printed.splitlines():
        assert len(line) <= 80 or line.lstrip().startswith("status:")


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["name"] for row in printed} == set(NAMES)
    assert len({row["spec"] for row in printed}) == len(printed) > len(NAMES)
    for row in printed:
        assert list(row) == ["name", "spec", "where", "description", "outcomes"]
        assert all(row.values())
    (reset,) = [row for row in printed if row["spec"].startswith("cut:reset")]
    assert reset == {
        "name": "cut",
        "spec": "cut:reset@EVENT or @bBYTE",
        "where": "in the body, at an event or a byte",
        "description": "the connection ends in the middle of the body: RST",
        "outcomes": {
            "anthropic create": "anthropic.APIConnectionError ← httpx2.ReadError, after 3 requests",
            "openai create": "openai.APIConnectionError ← httpx2.ReadError, after 3 requests",
            "anthropic raw": "httpx2.ReadError (bare)",
            "openai raw": "openai.APIConnectionError ← httpx2.ReadError",
            "anthropic stream": "httpx2.ReadError (bare)",
            "openai stream": "openai.APIConnectionError ← httpx2.ReadError",
        },
    }


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_of_any_width(width: int) -> None:
    written = io.StringIO()
    console = Console(file=written, width=width, force_terminal=True, color_system=None, highlight=False)
    page = Page(console)
    for row in rows():
        page.row(row)
    page.summary()
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "  malformed@EVENT" in map(str.rstrip, lines)


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("faults_table", ROOT / "tools" / "faults_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_the_docs_is_what_the_tool_writes() -> None:
    written = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert written == tool().page(written, rows()), "faults changed: run `python tools/faults_table.py`"
    for row in rows():
        assert f"\n| `{row.spec.replace('|', '&#124;')}` | " in written
    with pytest.raises(ValueError, match="expected the lines"):
        tool().page("# Faults\n", rows())


def test_modules_that_are_no_faults_are_known() -> None:
    for path in FOLDER.glob("*.py"):
        assert (path.stem in NAMES) or path.stem in {*_ABOUT, "__init__", "fitting", "outcomes", "pieces",
                                                     "provider_errors", "tool_calls"}  # fmt: skip
