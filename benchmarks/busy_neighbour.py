"""A training on a machine whose every core has other work, over the same training alone.

A neighbour on each core leaves half of it, so 2 is the best there is; threads that spin while they
wait for each other make it many times that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from benchmarks.measure import against, interleaved, options, report

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = 2.5
SPIN = "while True: pass"


def main(argv: Sequence[str]) -> int:
    """Measure the ``train`` command; ``--threads`` is what the process may use."""
    given = options(__doc__ or "", argv)
    rounds = min(given.rounds, 3)  # each starts Python and torch
    work = {"busy": lambda: _train(given.threads, busy=True), "idle": lambda: _train(given.threads)}
    seconds = interleaved(work, rounds)
    label = f"train, sample, {given.threads} threads, busy / idle"
    return report([against(seconds, "busy", "idle", TARGET, label=label)], given)


def _train(threads: int, busy: bool = False) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if busy:
            stack.enter_context(_neighbours())
        command = [sys.executable, "-m", "engine", "train", "--dataset", "sample"]
        command += ["--epochs", "40", "--device", "cpu", "--runs-folder", folder]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, env=environment, check=True, capture_output=True)


@contextmanager
def _neighbours() -> Iterator[None]:
    """A process that computes for ever, one for each core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(cores or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
