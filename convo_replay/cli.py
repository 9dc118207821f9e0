"""`convo-replay`: one function for each command; what a command needs is imported when it runs.

Exit codes: 0, 1 for findings, 2 for a usage error or a file that cannot be read, with one line on
stderr that names file, line and reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from convo_replay import __version__
from convo_replay.errors import CassetteError, LeakFound

T = TypeVar("T")

KEPT = ".new.yaml"
"""The end of the name of a recording that did not replace its cassette, because its test failed."""


class UsageError(Exception):
    """A command cannot do what it was asked; its text is the line that the user reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. `argv` without the program's name."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a recorded "☀" must not fail on a terminal that cannot show it
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UsageError, CassetteError, LeakFound) as error:
        _complain(error)
        return 2
    except BrokenPipeError:  # `convo-replay show … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def demo(_options: argparse.Namespace) -> int:
    """Records a streamed tool loop, stops the server, replays."""
    from convo_replay.demo import run

    return run()


def show(options: argparse.Namespace) -> int:
    """Prints a cassette."""
    from convo_replay.cassette import load
    from convo_replay.reporting.terminal import show as print_conversation
    from convo_replay.shown import readable

    exchanges = readable(_quietly(load, options.cassette))
    try:
        print_conversation(exchanges, title=options.cassette, turn=options.turn, events=options.events)
    except IndexError as error:
        raise UsageError(f"{options.cassette}: {error}") from None
    return 0


def check(options: argparse.Namespace) -> int:
    """Validates cassettes; one that cannot be read stops none of the others."""
    from convo_replay import checking, converting
    from convo_replay.cassette import load
    from convo_replay.reporting import checked, findings
    from convo_replay.validation.catalogue import all_rules

    if not (options.paths or options.rules or options.explain):
        raise UsageError("check: expected a PATH to check, or --rules, or --explain RULE")
    if missing := next((path for path in options.paths if not path.exists()), None):
        raise UsageError(f"{missing}: there is no such file or directory")
    page: checked.Lines | checked.Page = checked.Lines() if options.json else checked.Page()
    for rule in all_rules().values() if options.rules else ():
        page.rule(rule)
    if options.explain:
        if options.explain not in all_rules():
            near = ", ".join(findings.near(options.explain)) or "none; see `convo-replay check --rules`"
            raise UsageError(f"check: there is no rule {options.explain!r}; near it: {near}")
        page.explained(all_rules()[options.explain])
    failing = ("error", "warn") if options.strict else ("error",)
    unread = failed = False
    for file, named in checking.cassettes(options.paths):
        try:
            one = checking.check(file, _quietly(load, file))
        except CassetteError as error:
            _complain(error)
            unread = unread or named or converting.is_expected(file, error)
            continue
        failed = failed or any(finding.severity in failing for finding in one.findings)
        page.file(one)
    if options.paths:
        page.summary()
    return 2 if unread else int(failed)


def scan(options: argparse.Namespace) -> int:
    """Looks for secrets and identifying data in files; one that cannot be read stops none of the others."""
    from convo_replay import converting, scanning
    from convo_replay.redaction import overriding
    from convo_replay.reporting import sarif, scanned

    if missing := next((path for path in options.paths if not path.exists()), None):
        raise UsageError(f"{missing}: there is no such file or directory")
    try:
        redact = overriding.overrides(dict.fromkeys(options.keep, "keep"))
    except ValueError as error:
        raise UsageError(f"--keep: {error}") from None
    page: scanned.Page | scanned.Lines | sarif.Log
    page = scanned.Lines() if options.json else sarif.Log() if options.sarif else scanned.Page(options.paths)
    unread = failed = False
    for file, named in scanning.files(options.paths):
        try:
            if options.fix:
                fixed = scanning.fix(file, redact=redact)
                one = fixed.after
                page.fixed(fixed)
            else:
                one = scanning.scan(file, redact=redact)
                page.file(one)
        except CassetteError as error:
            _complain(error)
            if named or converting.is_expected(file, error):
                unread = True
                page.file(scanning.scan_unread(file, error.reason, redact=redact))
            continue
        failed = failed or bool(one.failing)
    page.summary()
    return 2 if unread else int(failed)


def faults(options: argparse.Namespace) -> int:
    """Prints the catalogue of faults."""
    from convo_replay.reporting import fault_rows

    page: fault_rows.Lines | fault_rows.Page = fault_rows.Lines() if options.json else fault_rows.Page()
    try:
        for row in fault_rows.rows():
            page.row(row)
    except RuntimeError as error:
        raise UsageError(str(error)) from None
    page.summary()
    return 0


def accept(options: argparse.Namespace) -> int:
    """Takes kept recordings as the cassettes; one that cannot be read stops none of the others."""
    from convo_replay import keeping

    code, taken = 0, 0
    for kept in [kept for path in options.paths for kept in _kept(path)]:
        try:
            cassette, count = _quietly(keeping.accept, kept)
        except CassetteError as error:
            _complain(error)
            code = 2
            continue
        taken += 1
        print(_safe(f"{cassette}: took {count} exchange{'' if count == 1 else 's'} of {kept.name}"))
    if not code and not taken:
        print(_safe(f"nothing to accept: no *{KEPT} under {', '.join(map(str, options.paths))}"))
    return code


def convert(options: argparse.Namespace) -> int:
    """Writes cassettes in the other format; in a folder one that cannot be read stops none of the others."""
    from convo_replay import converting, keeping

    code = 0
    if not options.src.exists():
        raise UsageError(f"{options.src}: there is no such file or directory")
    targets = list(converting.pairs(options.src, options.dst))
    if options.sanitize == "off" and targets:
        keeping.refuse_in_git(targets[0][1])  # once, not for each file
    for src, dst in targets:
        try:
            lost = converting.convert(src, dst, sanitize=options.sanitize)
        except (CassetteError, LeakFound) as error:
            if not options.src.is_dir():
                raise
            _complain(error)
            if isinstance(error, LeakFound) or converting.is_expected(src, error):
                code = 2
            continue
        print(_safe(dst))
        for line in lost:
            _complain(f"{src}: lost in {dst.name}: {line}")
    if not targets:
        print(_safe(f"nothing to convert: no file under {options.src}"))
    return code


def _kept(path: Path) -> list[Path]:
    """The kept recordings that a path means.

    Raises:
        UsageError: a file was named, and there is no recording for it.
    """
    if path.is_dir():
        return sorted(found for found in path.rglob(f"*{KEPT}") if found.is_file())
    kept = path if path.stem.endswith(".new") else path.with_name(f"{path.stem}.new{path.suffix}")
    if not kept.is_file():
        there = "there is no such file" if kept == path else f"there is no {kept.name} beside it"
        raise UsageError(f"{path}: nothing to accept, {there}")
    return [kept]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convo-replay",
        description="Recorded conversations with LLM APIs: see them, keep them, try them out.",
        epilog="example: convo-replay demo",
    )
    parser.add_argument("--version", action="version", version=f"convo-replay {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _command(commands, demo, "record and replay a streamed tool loop; no key, no network", "convo-replay demo")

    one = _command(commands, show, "print a cassette, readable", "convo-replay show cassettes/test_x.yaml --turn 1")
    one.add_argument("cassette", metavar="CASSETTE", help="a cassette, ours or vcrpy's")
    one.add_argument("--turn", type=int, metavar="N", help="one turn (from 0), in full")
    one.add_argument("--events", action="store_true", help="each event of the streams, with its time in seconds")

    one = _command(
        commands, check, "validate cassettes as the API would", "convo-replay check tests/cassettes --strict"
    )
    one.add_argument("paths", metavar="PATH", nargs="*", type=Path, help="a cassette, ours or vcrpy's, or a directory")
    one.add_argument("--json", action="store_true", help="one object per line: a finding, or a rule")
    one.add_argument("--strict", action="store_true", help="a warning fails, too")
    one.add_argument("--rules", action="store_true", help="list every rule")
    one.add_argument("--explain", metavar="RULE", help="what one rule is about")

    example = "convo-replay scan tests/cassettes --fix"
    one = _command(commands, scan, "find secrets and identifying data in cassettes, and take them out", example)
    one.description = f"{one.description} Exit code: 0 clean, 1 on errors and warnings, 2 where a file cannot be read."
    help_ = "a cassette of any recorder, a text, or a directory of them"
    one.add_argument("paths", metavar="PATH", nargs="+", type=Path, help=help_)
    said = one.add_mutually_exclusive_group()
    said.add_argument("--json", action="store_true", help="one object per line: a finding, never its value")
    said.add_argument("--sarif", action="store_true", help="one SARIF 2.1.0 document, for code-scanning pages")
    help_ = "write placeholders into cassettes, ours and vcrpy's; what cannot be fixed is named"
    one.add_argument("--fix", action="store_true", help=help_)
    help_ = "a class that may stay, e.g. machine; repeatable. Not for keys and passwords"
    one.add_argument("--keep", metavar="CLASS", action="append", default=[], help=help_)

    one = _command(
        commands, faults, "list the faults: what they do, what each SDK makes of them", "convo-replay faults"
    )
    one.add_argument("--json", action="store_true", help="one object per line")

    example = "convo-replay accept tests/cassettes"
    one = _command(commands, accept, f"take a kept *{KEPT} as the cassette it is beside", example)
    help_ = f"a *{KEPT}, the cassette it is beside, or a directory"
    one.add_argument("paths", metavar="PATH", nargs="+", type=Path, help=help_)

    example = "convo-replay convert tests/vcr_cassettes tests/cassettes"
    one = _command(commands, convert, "write vcrpy's cassettes as ours, and ours as vcrpy's; sanitized", example)
    one.add_argument("src", metavar="SRC", type=Path, help="a cassette, ours or vcrpy's, or a directory of them")
    one.add_argument("dst", metavar="DST", type=Path, help="where it goes; what is there already is not overwritten")
    help_ = "off: as recorded, keys included; refused inside a git work tree"
    one.add_argument("--sanitize", choices=("on", "off"), default="on", help=help_)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    said = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(run.__name__, help=summary, description=said, epilog=f"example: {example}")
    parser.set_defaults(command=run)
    return parser


def _quietly(read: Callable[[Any], T], path: object) -> T:
    """Calls `read`; what it warns of is one line on stderr each."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value = read(path)
    for warning in said:
        _complain(warning.message)
    return value


def _complain(message: object) -> None:
    print(f"convo-replay: {_safe(message)}", file=sys.stderr)


def _safe(message: object) -> str:
    """One line, without what a terminal would act on: a reason may quote the file."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(message)).split())
