"""Where a test's cassette lies: `cassettes/<test module>/<Class.><test>[<param>].yaml` (design.md §4.4).

Names are never merged: what a file system reserves is percent-encoded, and so is `%`. Windows' reserved
characters and device names count everywhere, so a repository can be checked out on any system. On a file
system that ignores case, tests whose names differ in case alone share a file; exchanges belong to their
test, so such a file still answers each with its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

LONGEST = 120
"""Bytes of a file or folder name, in UTF-8, before it is cut."""
_RESERVED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*%\ud800-\udfff\u2028\u2029]')
_RESERVED_IN_NAMES = re.compile(_RESERVED.pattern[:-1] + r"\.\[\]]")
_DEVICES = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|\Z)")


def default_path(
    directory: Path, module_path: str, class_names: Sequence[str] = (), test_name: str = "", param: str | None = None
) -> Path:
    """The cassette of a test.

    Args:
        directory: where cassettes lie: `cassettes` beside the test file, or `convo_cassette_dir`.
        module_path: the test module as one name: its file's stem, or a path below `directory`'s parent.
        class_names: the classes around the test, outermost first.
        test_name: the function's name, without parameters.
        param: what stands between brackets in the test's id, without the fault part; `None` for no brackets.
    """
    module = module_path.replace("\\", "/").strip("/").removesuffix(".py")
    # A dot or a bracket inside a name would read as a class or a parameter.
    name = ".".join([_RESERVED_IN_NAMES.sub(_percent, part) for part in (*class_names, test_name)])
    if param is not None:
        name += f"[{_RESERVED.sub(_percent, param)}]"
    folders = [_fitted(_RESERVED.sub(_percent, part), "") for part in module.split("/")]
    return directory.joinpath(*folders) / _fitted(name, ".yaml")


def _fitted(name: str, suffix: str) -> str:
    """A name without reserved characters, as one that every system takes, at most `LONGEST` bytes."""
    made = name
    if made.startswith((".", " ", "~")):
        made = _percent_of(made[0]) + made[1:]
    if made.endswith((".", " ")):
        made = made[:-1] + _percent_of(made[-1])
    if _DEVICES.match(made):
        made = _percent_of(made[0]) + made[1:]
    if not made:
        made = "%"  # nothing else is encoded so
    room = LONGEST - len(suffix)
    data = made.encode()
    if len(data) <= room:
        return made + suffix
    digest = hashlib.sha256(data).hexdigest()[:8]
    cut = data[: room - 9].decode("utf-8", "ignore")
    return f"{cut}-{digest}{suffix}"


def _percent(match: re.Match[str]) -> str:
    return _percent_of(match[0])


def _percent_of(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
