"""Which runs are one strategy under several seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from engine.foundation.seeding import without_seed
from engine.runs.run import Run

PER_SEED = ("seed", "device", "match_gradient_passes")
"""Settings that may differ between the seeds of one strategy: a compute-matched run takes as many
passes as the run of its own seed that it was matched to."""


def strategy_names(runs: Sequence[Run]) -> list[str]:
    """The strategy of each run: its name without the seed.

    Runs of one name whose settings differ are different strategies, told apart by a number, the
    oldest without one.
    """
    names: dict[tuple[str, str], str] = {}
    taken: Counter[str] = Counter()
    keys = {run.id: _key(run) for run in runs}
    for run_id in sorted(keys):
        key = keys[run_id]
        if key not in names:
            taken[key[0]] += 1
            names[key] = key[0] if taken[key[0]] == 1 else f"{key[0]} ({taken[key[0]]})"
    return [names[keys[run.id]] for run in runs]


def _key(run: Run) -> tuple[str, str]:
    config = run.config
    # Unset is the same as not yet known when the run was made.
    settings = {k: v for k, v in config.items() if k not in PER_SEED and v is not None}
    settings["is_matched"] = config.get("match_gradient_passes") is not None
    return without_seed(run.name), json.dumps(settings, sort_keys=True)
