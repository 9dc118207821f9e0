"""What is measured, by name. The goals are those of docs/performance.md."""

from __future__ import annotations

from benchmarks import traffic, validated
from benchmarks.scenarios import scanning
from benchmarks.scenarios.processes import FaultRuns, Memory, StartUp, Tests
from benchmarks.scenarios.recording import FirstEvent, Recording
from benchmarks.scenarios.replaying import LATER, NEVER, Replaying
from benchmarks.scenarios.scanning import Growth, Scanning
from benchmarks.scenarios.validating import Validating

__all__ = [
    "SCENARIOS",
    "FaultRuns",
    "FirstEvent",
    "Growth",
    "Memory",
    "Recording",
    "Replaying",
    "Scanning",
    "Scenario",
    "StartUp",
    "Tests",
    "Validating",
]

Scenario = Replaying | Recording | FirstEvent | StartUp | Tests | FaultRuns | Memory | Validating | Scanning | Growth

SCENARIOS: dict[str, Scenario] = {
    "start-up": StartUp("pytest of one trivial test, with the plugin over without", goal=3),
    "small": Replaying(
        "200 cassettes of one exchange, a new client each, without pytest", lambda: traffic.small(200), None,
        {"vcrpy": 1, "cassetter": 1},
    ),
    "tests": Tests("200 tests of one cassette and one client each, one run of pytest, with imports", 200, goal=1.2),
    "fault-runs": FaultRuns("600 cuts of one stream of 300 events, a test each, one run of pytest, with imports", 300),
    "streams": Replaying(
        "100 streams of 300 events in one cassette, through messages.stream", lambda: traffic.streams(100, 300), 1.1,
        {"vcrpy": 3, "cassetter": 3},
    ),
    "streams-raw": Replaying(
        "100 streams of 300 events in one cassette, through messages.create(stream=True)",
        lambda: traffic.streams(100, 300, "events"), 1.1, {"vcrpy": 1, "cassetter": 1},
    ),
    "turns-50": Replaying("one conversation of 50 turns", lambda: traffic.conversation(50), None, {"vcrpy": 3}),
    "turns-100": Replaying(
        "one conversation of 100 turns", lambda: traffic.conversation(100), None, {"vcrpy": 1, "cassetter": 3}
    ),
    "turns-200": Replaying(
        "one conversation of 200 turns", lambda: traffic.conversation(200), 1.3, {"vcrpy": LATER, "cassetter": 1}
    ),
    "turns-400": Replaying(
        "one conversation of 400 turns", lambda: traffic.conversation(400), None, {"vcrpy": NEVER, "cassetter": LATER}
    ),
    "random-200": Replaying(
        "200 exchanges in one file, in random order", lambda: traffic.shuffled(200), None, {"vcrpy": 1, "cassetter": 3}
    ),
    "random-2000": Replaying(
        "2,000 exchanges in one file, in random order", lambda: traffic.shuffled(2000), 1.4,
        {"vcrpy": LATER, "cassetter": LATER},
    ),
    "record": Recording("200 exchanges from a server in another process, saved", 200, "create", goal=1.3),
    "record-streams": Recording("200 streams of 11 events, likewise", 200, "stream", goal=1.3),
    "first-event": FirstEvent("the first event of a stream that then waits, while it is recorded", goal=5),
    "validate-request": Validating(
        "a request of 50 turns, 76 kB, by a validator that has seen nothing",
        lambda: validated.conversation(50)[-1:], ("request",), goal=1,
    ),
    "validate-stream": Validating(
        "a stream of 300 events, likewise", lambda: [validated.stream(300)], ("response",), goal=1
    ),
    "validate-turns": Validating(
        "a streamed conversation of 200 turns, all requests and answers", lambda: validated.conversation(200),
        ("request", "response"), goal=150, slow=True,
    ),
    "scan-text": Scanning(
        "searching the text of cassettes in our format", scanning.ours, scanning.search, goal=20
    ),
    "scan-exchanges": Scanning(
        "redacting the exchanges of the same cassettes, parsed before", scanning.ours, scanning.redact, goal=20
    ),
    "scan-ours": Scanning("all that `scan` does with them, reading included", scanning.ours, scanning.scan, goal=20),
    "scan-vcrpy": Scanning("the same in vcrpy's format, through libyaml", scanning.vcrpy, scanning.scan),
    "scan-published": Scanning("the same for recordings of other projects", scanning.published, scanning.scan),
    "scan-published-exchanges": Scanning(
        "redacting their exchanges, parsed before", scanning.published, scanning.redact, goal=20
    ),
    "scan-base64": Scanning("redacting exchanges that are base64 alone", scanning.encoded, scanning.redact, goal=5),
    "scan-growth": Growth("the worst text of each class: twice as long, over as long", 500, goal=2.2),
    "memory": Memory("peak memory of a process that replays 200 turns", 200, goal=10),
}  # fmt: skip
