"""Changes recorded conversations in one place, and prints whether the validator finds what is wrong with them.

    python tools/mutants.py CORPUS [--only NAME…] [--notes N]

CORPUS is a folder with an INDEX.json (tests/all_formats.py reads every format in it). Each operator of
tests/mutations.toml is applied to every exchange of it that a model answered and that it applies to, and so is its
twin, a legal change of the same place. Columns: how many mutants there were; found by the expected rule at the
expected path; found by another rule or at another path; missed; how many twins, with an error and with a new warning;
conversations that were not legal to begin with. Exit code 1 where an operator is found in less than 99 % of its
mutants or applies nowhere, or where something is said to a twin.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument(
        "--only", nargs="+", default=["*"], metavar="NAME", help="operators, by name or number; * is any"
    )
    parser.add_argument("--notes", type=int, default=3, metavar="N", help="how many failures of each operator are told")
    given = parser.parse_args(arguments)
    sys.path.insert(0, str(TESTS))
    import all_formats
    import corpus
    from mutating import running

    corpus.CORPUS = given.corpus if (given.corpus / "INDEX.json").is_file() else None
    recordings = all_formats.recordings()
    if not recordings:
        print(f"{given.corpus}: no INDEX.json, so no recordings", file=sys.stderr)
        return 2
    for reason, count in all_formats.skipped(recordings).items():
        print(f"not read: {count} files, {reason}")
    conversations = [
        (recording.path, conversation)
        for recording in recordings
        if not recording.response_only
        for conversation in running.conversations(recording.exchanges)
    ]
    chosen = [
        operator
        for operator in running.operators()
        if any(fnmatchcase(operator.name, name) or operator.number == name for name in given.only)
    ]
    results = [running.run(operator, conversations) for operator in chosen]
    for result in results:
        for note in [] if result.good else result.notes[: given.notes]:
            print(f"{result.operator.name}: {note}")
    print(running.table(results))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
