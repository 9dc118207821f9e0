"""What a failure of a conversation says: which turn it is, what is nearest in the cassette, what differs, what to do.

The sentences themselves are in `errors` and `reporting.findings`; here is what goes into them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from convo_replay import errors
from convo_replay.exchange import End, Exchange, Head, Request
from convo_replay.explaining import explain
from convo_replay.matching import Fingerprints
from convo_replay.player import Refuse
from convo_replay.providers import find
from convo_replay.turns import Grouper, turns

if TYPE_CHECKING:
    from convo_replay.validation.findings import Finding


@dataclass(frozen=True, slots=True)
class Scene:
    """A conversation at the moment of a failure.

    Attributes:
        finished: what it has asked so far, by place; `None` where an answer is under way.
        recorded: the exchanges of the cassette.
        shown: an exchange as anyone may see it.
        rerecord: the command that records the cassette anew.
        repeats: how the user says that an exchange may be played again.
        kept: whether the cassette is one that is never written (vcrpy's).
    """

    finished: Sequence[Exchange | None]
    recorded: Sequence[Exchange]
    shown: Callable[[Exchange], Exchange]
    fingerprints: Fingerprints
    owner: str
    mode: str
    cassette: Path | None
    rerecord: str
    repeats: str
    kept: bool

    @property
    def file(self) -> str | None:
        """The cassette as a person would type it; `None` where there is none."""
        return errors.shown_path(str(self.cassette)) if self.cassette else None


def miss(scene: Scene, sent: Request, refusal: Refuse, warned: Sequence[Finding]) -> str:
    """The text of a `CassetteMiss`: nothing answers `sent`."""
    # One of vcrpy's stays as it is.
    rerecord = "new_episodes".join(scene.rerecord.rsplit("rewrite", 1)) if scene.kept else scene.rerecord
    exists = scene.cassette is not None and scene.cassette.exists()
    return errors.miss(
        what=_name(scene, sent, None),
        line=_line(sent),
        cassette=scene.file,
        exists=exists,
        elsewhere=[] if exists or scene.cassette is None else _near(scene.cassette),
        mode=scene.mode,
        exchanges=len(scene.recorded),
        nearest=_nearest(scene, refusal),
        played=refusal.played,
        differences=_differences(scene, sent, refusal),
        remarks=[f"{one.rule} at {one.path}: {one.message}" for one in warned],
        rerecord=rerecord,
        repeats=scene.repeats,
        branch=refusal.branch,
    )


def _near(missing: Path) -> list[str]:
    """Cassettes with nearly the name of one that is not there, or with its name in a folder beside its own."""
    from difflib import get_close_matches

    try:
        beside = {path.name: path for path in missing.parent.glob(f"*{missing.suffix}")}
        found = [beside[name] for name in get_close_matches(missing.name, beside, 3, 0.8)]
        if missing.parent.parent.name == "cassettes":  # a folder for each module
            found += sorted(missing.parent.parent.glob(f"*/{escape(missing.name)}"))
    except OSError:
        return []
    return [errors.shown_path(str(path)) for path in found[:3]]


def diverged(scene: Scene, sent: Request, refusal: Refuse, again: str) -> str:
    """What is said of a request after a fault that nothing answers.

    Args:
        again: the command that makes the same run again, where it has one of its own.
    """
    record = f"{again} --convo-record=new_episodes" if again else scene.rerecord.replace("rewrite", "new_episodes")
    return errors.diverged(
        what=_name(scene, sent, None),
        line=_line(sent),
        cassette=scene.file,
        nearest=_nearest(scene, refusal),
        played=refusal.played,
        differences=_differences(scene, sent, refusal),
        record=record,
        branch=refusal.branch,
    )


def invalid(
    scene: Scene, sent: Request, broken: Sequence[Finding], refusal: Refuse | None = None, accepted: str = ""
) -> str:
    """The text of an `InvalidTurn`: the API would reject `sent`.

    Args:
        accepted: the host that answered it all the same.
    """
    from convo_replay.reporting.findings import invalid_turn

    return invalid_turn(
        _name(scene, sent, broken[0].exchange),
        _line(sent),
        broken,
        nearest=_nearest(scene, refusal) if refusal else "",
        differences=_differences(scene, sent, refusal) if refusal else (),
        cassette=scene.file,
        mode=scene.mode,
        rerecord=scene.rerecord if scene.mode != "live" else "",
        accepted=accepted,
    )


def broken_answers(scene: Scene, findings: Sequence[Finding]) -> str:
    """The text about answers that the API would not send: the first in full, the others by name."""
    from convo_replay.reporting.findings import broken_answer

    first = [one for one in findings if one.exchange == findings[0].exchange]
    exchange = scene.finished[first[0].exchange or 0]
    others = dict.fromkeys(f"turns[{one.turn}]" for one in findings if one.exchange != first[0].exchange)
    text = broken_answer(
        f"turns[{first[0].turn}]",
        _line(exchange.request) if exchange else "",
        first,
        cassette=scene.file,
        mode=scene.mode,
        rerecord=scene.rerecord if scene.mode != "live" else "",
    )
    return text + (f"\nalso answered so: {', '.join(others)}" if others else "")


def without_query(url: str) -> str:
    """A URL as a message shows it."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"


def _line(request: Request) -> str:
    return f"{request.method} {without_query(request.url)}"


def _name(scene: Scene, sent: Request, slot: int | None) -> str:
    """A request as messages call it; one that has no place in the conversation yet comes next."""
    grouper = Grouper()
    for exchange in scene.finished[:slot]:
        if exchange is not None:
            grouper.add(exchange)
    turn = grouper.add(Exchange(sent, (Head(200), End()), test=scene.owner))
    return f"turns[{turn.index}]" if turn else _line(sent)


def _differences(scene: Scene, sent: Request, refusal: Refuse) -> list[str]:
    if refusal.nearest is None or refusal.played:
        return []
    if refusal.stranger:
        if refusal.nearest.test not in ("", scene.owner):
            return ["whom it names, perhaps: addresses of people are not in the file, and it is another test's"]
        return ["whom it names: people that were one are two now, or two are one (one placeholder, one person)"]
    return [str(each) for each in explain(scene.shown(refusal.nearest).request, sent, scene.fingerprints)]


def _nearest(scene: Scene, refusal: Refuse) -> str:
    if refusal.nearest is None or refusal.index is None:
        return ""
    owner = refusal.nearest.test
    provider = find(refusal.nearest.request)
    if provider is None or not provider.generates(refusal.nearest.request):
        return f"exchanges[{refusal.index}]"
    same_test = [each for each in scene.recorded[: refusal.index + 1] if each.test == owner]
    return f"turns[{len(turns(same_test)) - 1}]" + (f" of {owner}" if owner and owner != scene.owner else "")
