"""Where requests are met: httpx and httpx2, other clients, a guard on what is not ours, and what replay spares."""

from __future__ import annotations

from convo_replay import waiting
from convo_replay.transports import guard, httpx, tls, vcr
from convo_replay.transports.patching import Patches


def _intercept(patches: Patches) -> None:
    httpx.install(patches)
    vcr.install(patches, guard.install(patches, httpx.outside))


def _spare(patches: Patches) -> None:
    tls.install(patches)
    waiting.install(patches)


_always = Patches(_intercept)
_replaying = Patches(_spare)


def install(*, replays: bool) -> None:
    """Puts our patches in place, counted: each `install` wants its `uninstall`."""
    _always.acquire()
    if replays:
        try:
            _replaying.acquire()
        except BaseException:
            _always.release()
            raise


def uninstall(*, replays: bool) -> None:
    """Takes one `install` back; with the last one nothing of ours is left."""
    try:
        if replays:
            _replaying.release()
    finally:
        _always.release()
