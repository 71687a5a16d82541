"""Five seeds at once, over the time of one alone, on the built-in sample.

Equal numbers of epochs (patience is off), each with its validation; the presets' batch of 2,048 and
width of 64. Runs apart and together alternate, so that other load on the machine meets both.
"""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.measure import against, dataset_of, interleaved, options, report
from engine.training import fit, preset
from engine.training.seeds import fit_seeds

PRESETS = ("plain", "mg", "amr")
SEEDS = (0, 1, 2, 3, 4)
EPOCHS = 10
"""A short run; real ones take 20 to 150, over which setting up and the last test weigh less."""
TARGET = 2.5
"""Largest time of five seeds, in times of one."""


def main(argv: list[str]) -> int:
    """Print the rows of this benchmark; 1 where a target is missed with --check."""
    given = options(__doc__ or "", argv)
    dataset = dataset_of("sample")
    rows = []
    for name in PRESETS:
        changes: dict[str, object] = {"epochs": EPOCHS, "patience": EPOCHS, "device": given.device}
        if preset(name).objective.adversary is not None:
            changes["objective.adversary.warm_start_epochs"] = 0
        config = preset(name, changes)
        work = {
            "five at once": partial(fit_seeds, dataset, config, SEEDS),
            "one": partial(fit, dataset, config),
        }
        seconds = interleaved(work, given.rounds)
        rows.append(against(seconds, "five at once", "one", TARGET, label=f"{name}: 5 seeds / 1"))
    return report(rows, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
