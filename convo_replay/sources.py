"""Which files a conversation is played from, and into which it is recorded.

A cassette of vcrpy's is played as it is and never written: what is new goes into one of ours beside
it, `NAME.convo.yaml`, which supersedes it request by request, so that a recording made anew takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from convo_replay.exchange import Exchange, Request

if TYPE_CHECKING:
    from convo_replay.cassette import Cassette


Load = Callable[[Path], "Cassette"]


class Filters(Protocol):
    """What is done to each exchange before it is redacted, matched or stored. Both may be called repeatedly."""

    def request(self, request: Request) -> Request | None:
        """The request to match; `None` where it is not ours and passes to the network, counted."""
        ...

    def exchange(self, exchange: Exchange) -> Exchange | None:
        """The exchange as it is stored or played, recorded or loaded; `None` drops it."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read.

    Attributes:
        exchanges: all that may be played, in order of preference among equals.
        saved: those of the file that a recording goes into, as they are there.
        save_path: that file.
        foreign: the `id` of each exchange that another recorder wrote: it holds what it holds, also keys.
    """

    exchanges: Sequence[Exchange]
    saved: Sequence[Exchange]
    save_path: Path
    foreign: frozenset[int]


def beside(path: Path) -> Path:
    """The cassette of ours beside one of vcrpy's: `a.convo.yaml` for `a.yaml`, `a.json.convo.yaml` for `a.json`."""
    return path.with_name(f"{path.stem if path.suffix == '.yaml' else path.name}.convo.yaml")


def read(path: Path, also: Sequence[Path], filters: Filters | None, load: Load | None = None) -> Sources:
    """Reads a cassette, what lies beside it, and further ones that are only played.

    Args:
        load: reads a file, in place of `cassette.load`.

    Raises:
        CassetteError: one of them cannot be read; of `also`, or is missing.
    """
    if load is None:
        from convo_replay import cassette as files

        load = files.load
    # What is not named as YAML is or will be of some other recorder's.
    save_path = path if path.suffix in (".yaml", ".yml") else beside(path)
    saved: list[Exchange] = []
    cassettes: list[Cassette] = []
    if path.exists():
        cassette = load(path)
        if cassette.format == "convo":
            save_path, saved = path, cassette.exchanges
        else:
            save_path = beside(path)
        cassettes.append(cassette)
    if save_path != path and save_path.exists():
        cassettes.insert(0, load(save_path))
        saved = cassettes[0].exchanges
    cassettes += [load(other) for other in also]
    exchanges: list[Exchange] = []
    foreign: set[int] = set()
    for cassette in cassettes:
        held = _through(cassette.exchanges, filters.exchange) if filters else cassette.exchanges
        exchanges += held
        if cassette.format != "convo":
            foreign.update(map(id, held))
    return Sources(exchanges, saved, save_path, frozenset(foreign))


def _through(exchanges: Sequence[Exchange], change: Callable[[Exchange], Exchange | None]) -> list[Exchange]:
    return [changed for exchange in exchanges if (changed := change(exchange)) is not None]
