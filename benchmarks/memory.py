"""Prints the peak memory, in MB, of one process that holds one conversation: `run` starts it.

python -m benchmarks.memory TURNS                    the bare SDK over a mock transport
python -m benchmarks.memory TURNS httpcore2          with the modules of the transport that clients have by default
python -m benchmarks.memory TURNS CONTENDER FOLDER
"""

from __future__ import annotations

import importlib
import sys

from benchmarks import measuring, traffic


def main(turns: int, contender: str = "", folder: str = "") -> None:
    workload = traffic.conversation(turns)
    if contender == "httpcore2":
        importlib.import_module(contender)
        texts = traffic.bare(workload)
    elif contender:
        from pathlib import Path

        from benchmarks import contenders

        found = next(each for each in contenders.installed() if each.name == contender)
        texts = found.replay(Path(folder), workload)
    else:
        texts = traffic.bare(workload)
    assert texts == workload.texts
    print(measuring.peak_memory())


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
