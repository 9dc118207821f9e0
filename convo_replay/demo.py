"""`convo-replay demo`: the whole idea in two seconds, with the real SDK, without key or network.

It records a streamed tool loop from a server in another process, stops the server, replays, and then
breaks the conversation, as people do and as networks do. The variables that would send the client elsewhere
(`ANTHROPIC_BASE_URL`, proxies) are out of the way meanwhile, and put back.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convo_replay import sse

ADDRESS = "ada@engines.co.uk"
QUESTION = f"Paris? I am {ADDRESS}."
WEATHER = "18 °C, light rain"
TOOL = {
    "name": "get_weather",
    "description": "Current weather for a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_ELSEWHERE = re.compile(r"anthropic_.*|.*_proxy", re.IGNORECASE)  # variables that a client obeys

_LEFT_OUT = ("cassette: ", "to fix: ", "if this ", "called from ")  # lines of a failure that are no help here


@dataclass
class Heard:
    """What the application saw of one run; times in seconds from its start."""

    events: list[str] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0
    took: float = 0.0


def run() -> int:
    """Runs the demo; the exit code: 0, or 2 without an SDK."""
    if find_spec("anthropic") is None:
        say = "the demo needs the anthropic SDK; install it with: pip install 'convo-replay[demo]'"
        print(f"convo-replay: {say}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="convo-replay-") as folder, _at_home():
        return _run(Path(folder) / "demo.yaml")


def _run(cassette: Path) -> int:
    sdk = f"anthropic {version('anthropic')}"
    print(f"A streamed tool loop with the real SDK, {sdk}. No key, no network.\n", flush=True)
    import anthropic  # takes its time

    from convo_replay import scanning, use_cassette

    key = f"sk-ant-api03-{secrets.token_urlsafe(70)}"
    with _upstream() as (url, port):
        print(f"1. Record.  A server in another process, {url}, sends word by word.")
        with use_cassette(cassette, record="once") as convo:
            recorded = _ask(anthropic, url, key)
    events = sum(event.dispatched for turn in convo.turns for event in sse.split(turn.exchange.body))
    print(f"   {len(convo.turns)} turns, {events} events; the first word came after {recorded.first:.2f} s,", end=" ")
    print(f"the last after {recorded.last:.2f} s.\n")

    text = cassette.read_text(encoding="utf-8")
    size, lines = len(text.encode()), text.splitlines()
    safe = key not in text and ADDRESS not in text and not scanning.scan(cassette).failing
    print(f"2. Look.  {cassette.name}: {len(lines)} lines, {size:,} bytes,", end=" ")
    print("no key, no address: `convo-replay scan` finds nothing." if safe else "A KEY OR AN ADDRESS IN IT.")
    _excerpt(lines)

    stopped = "STILL THERE" if _reachable(port) else "connection refused"
    print(f"\n3. Replay.  The server is stopped ({stopped}), the key is another one.")
    with use_cassette(cassette, record="none"):
        replayed = _ask(anthropic, url, key="none-at-all")
    same = replayed.events == recorded.events and replayed.messages == recorded.messages
    print(f"   {'The same' if same else 'OTHER'} events, one at a time:", end=" ")
    print(f"{replayed.took * 1000:.0f} ms instead of {recorded.took * 1000:,.0f} ms.\n")

    print("4. Validate.  The application now keeps only the text of an answer, so that the tool call is gone.")
    invalid = _broken(anthropic, cassette, url)

    print("5. Break.  The API says 429 and to come back in two seconds; then the stream ends in the second answer.")
    survived = _survived(anthropic, cassette, url, recorded)
    noticed = _noticed(anthropic, cassette, url)

    print("Next: a test of your own. Recorded once with your key, it then needs neither key nor network.")
    print("   @pytest.mark.convo")
    print("   def test_weather():")
    print('       assert "18" in my_agent("What\'s the weather in Paris?")\n')
    print("   $ pytest --convo-record=once     # calls the API, writes cassettes/…/test_weather.yaml")
    print("   $ pytest                         # replays it")
    return 0 if same and invalid and survived and noticed and safe else 1


def _survived(anthropic: Any, cassette: Path, url: str, recorded: Heard) -> bool:
    """Replays with a 429 that the SDK retries; whether the application got all of it."""
    from convo_replay import use_cassette

    with (
        use_cassette(cassette) as convo,
        convo.replay(faults="429:retry_after=2") as run,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        heard = _ask(anthropic, url, key="none-at-all", max_retries=2)
    verdict = run.verdict
    good = verdict is not None and verdict.good and heard.messages == recorded.messages
    waits = ", ".join(f"{seconds:g} s" for turn in run.turns for seconds in turn.waits)
    print(f"   429:retry_after=2   {'recovered' if good else 'NOT RECOVERED'}:", end=" ")
    print(f"the SDK waited {waits} on a clock that was moved and asked again; {heard.took * 1000:.0f} ms.")
    return good


def _noticed(anthropic: Any, cassette: Path, url: str) -> bool:
    """Replays with a stream that just ends, which the application takes for an answer; whether it was told."""
    from convo_replay import ConvoFailure, use_cassette

    print("   cut:eof@t1.6        the application, which does not look at stop_reason, takes that for an answer:")
    try:
        with use_cassette(cassette) as convo, convo.replay(faults="cut:eof@t1.6"):
            _ask(anthropic, url, key="none-at-all")
    except ConvoFailure as failure:
        print()
        for line in str(failure).partition("\n  what happened:")[0].splitlines():
            print(_folded(line))
        print()
        return True
    print("\n   NOTHING was said\n")
    return False


def _broken(anthropic: Any, cassette: Path, url: str) -> bool:
    """Replays with an application that forgets tool calls; whether it was told."""
    from convo_replay import InvalidTurn, use_cassette

    try:
        with use_cassette(cassette, record="none"):
            _ask(anthropic, url, key="none-at-all", kept=_text_only)
    except InvalidTurn as failure:
        print("InvalidTurn, without a network:")  # in place of what the model would have said
        for line in str(failure).partition("\nnearest recorded: ")[0].splitlines():
            if not line.startswith(_LEFT_OUT):
                print(_folded(line))
        print()
        return True
    print("\n   NOTHING was said\n")
    return False


def _folded(line: str) -> str:
    """A line with its indent, on as many lines as it takes."""
    indent = " " * (len(line) - len(line.lstrip()) + 3)
    return textwrap.fill(
        line.strip(), _width(), initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )


def _whole(content: list[dict[str, Any]]) -> Any:
    return content


def _text_only(content: list[dict[str, Any]]) -> Any:
    return "".join(block["text"] for block in content if block["type"] == "text")


def _ask(
    anthropic: Any, url: str, key: str, kept: Callable[[list[dict[str, Any]]], Any] = _whole, max_retries: int = 0
) -> Heard:
    """The application: asks, runs the tool that the model asks for, asks again. It knows nothing of us.

    Args:
        kept: what it keeps of an answer for the next question.
        max_retries: of the SDK.
    """
    heard = Heard()
    with anthropic.Anthropic(
        api_key=key, base_url=url, max_retries=max_retries, http_client=anthropic.DefaultHttpxClient(trust_env=False)
    ) as client:
        messages: list[dict[str, Any]] = [{"role": "user", "content": QUESTION}]
        print(f"   user       {QUESTION}")
        began = time.perf_counter()
        while True:
            print("   assistant  ", end="", flush=True)
            with client.messages.stream(
                model="claude-sonnet-5", max_tokens=1024, tools=[TOOL], messages=messages
            ) as stream:
                for event in stream:
                    heard.events.append(event.type)
                    if event.type == "text":
                        heard.last = time.perf_counter() - began
                        heard.first = heard.first or heard.last
                        print(event.text, end="", flush=True)
                answer = stream.get_final_message()
            said = answer.to_dict()
            heard.messages.append(said)
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                break
            for call in calls:
                print(f"\n   tool       {call.name}({call.input['city']}) = {WEATHER}")
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": WEATHER} for call in calls]
            messages += [{"role": "assistant", "content": kept(said["content"])}, {"role": "user", "content": results}]
        heard.took = time.perf_counter() - began
    print()
    return heard


def _excerpt(lines: list[str]) -> None:
    """What was asked first, and the first events of the answer, as the file has them."""
    width = _width()
    for sought, count in (("messages:", 2), ("response:", 10)):
        start = next((at for at, line in enumerate(lines) if line.strip() == sought), 0)
        print("   | …")
        for line in textwrap.dedent("\n".join(lines[start : start + count])).splitlines():
            print(f"   | {_shortened(line, width)}")


def _width() -> int:
    return min(max(shutil.get_terminal_size().columns - 5, 60), 120)


def _shortened(line: str, width: int) -> str:
    """A line without its middle: an event's name is at its start, its text at its end."""
    return line if len(line) <= width else f"{line[: width // 2]}…{line[len(line) - width + width // 2 + 1 :]}"


@contextlib.contextmanager
def _at_home() -> Iterator[None]:
    """Without the variables that would send the client elsewhere."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if _ELSEWHERE.fullmatch(name)}
    try:
        yield
    finally:
        os.environ.update(taken)


@contextlib.contextmanager
def _upstream() -> Iterator[tuple[str, int]]:
    """The server in another process; it is gone when the block ends."""
    file = Path(__file__).with_name("demo_upstream.py")
    with subprocess.Popen(
        [sys.executable, "-I", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline() or 0)
            if not port:
                raise RuntimeError(f"the demo's server, {file}, did not start")
            yield f"http://127.0.0.1:{port}", port
        finally:
            process.kill()


def _reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
