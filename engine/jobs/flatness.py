"""Does flatness predict robustness? Gathers what runs keep, and says what is still missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.foundation.errors import RunError
from engine.runs import Run, RunStore

CLEAN = "clean_accuracy"


@dataclass(frozen=True)
class FlatnessAndRobustness:
    """One row a run, and what other runs lack."""

    table: pd.DataFrame
    """run, label, strategy, seed, clean_accuracy, each flatness measure, and
    ``drop <perturbation> <modality>``: the share of clean accuracy lost at the strength."""
    metric: str
    strength: float
    without_curvature: tuple[str, ...]
    """Ids of finished runs that keep no curvature."""
    without_curves: tuple[str, ...]
    """Ids of finished runs that no kept curves hold at this strength and metric."""

    @property
    def drops(self) -> list[str]:
        """The columns of accuracy drops."""
        return [c for c in self.table.columns if c.startswith("drop ")]

    def correlations(self, n_resamples: int = 2000) -> pd.DataFrame:
        """As ``engine.geometry.flatness_versus_robustness``, every measure against every drop.

        Raises RunError where fewer than 5 runs have both.
        """
        from engine.geometry import flatness_versus_robustness

        if len(self.table) < 5 or not self.drops:
            raise RunError(
                f"{len(self.table)} runs keep both curvature and robustness curves with "
                f"{self.metric} at strength {self.strength:g}; a rank correlation needs at least "
                "5. Compute `curvature` and `robustness` of more runs, e.g. of several seeds."
            )
        return flatness_versus_robustness(self.table, drops=self.drops, n_resamples=n_resamples)


def gathered(
    store: RunStore, runs: Sequence[str], metric: str = "recall@20", strength: float = 0.1
) -> FlatnessAndRobustness:
    """Flatness and accuracy drops of finished runs, from the results kept in a runs folder.

    Newest results count where a run keeps several. Curves of several runs lie in the folder of one
    of them, so all the given runs' folders are read. Draws are averaged and random controls left
    out. Raises RunError where the runs were trained on different datasets.
    """
    from engine.geometry import Curvature

    found = [store.get(run) for run in runs]
    if len({run.provenance.get("dataset", {}).get("fingerprint") for run in found}) > 1:
        raise RunError("the runs were trained on different datasets; choose runs of one dataset.")
    drops = _drops(found, metric, strength)
    rows = []
    for run in found:
        kept = run.results(Curvature.kind)
        if not kept or run.id not in drops.index:
            continue
        curvature = run.load_result(Curvature, kept[-1])
        row: dict[str, Any] = {"run": run.id, "label": run.name}
        row["strategy"] = run.name.partition(", seed ")[0]
        row["seed"] = int(run.config.get("seed", 0))
        row |= curvature.measures
        row |= {str(name): value for name, value in drops.loc[run.id].items()}
        rows.append(row)
    return FlatnessAndRobustness(
        table=pd.DataFrame(rows),
        metric=metric,
        strength=strength,
        without_curvature=tuple(r.id for r in found if not r.results(Curvature.kind)),
        without_curves=tuple(r.id for r in found if r.id not in drops.index),
    )


def _drops(runs: Sequence[Run], metric: str, strength: float) -> pd.DataFrame:
    """By run id: clean_accuracy, and the share lost under each perturbation and modality."""
    from engine.robustness import RobustnessCurves, per_run

    wanted = {run.id for run in runs}
    frames = []
    for run in runs:
        for key in run.results(RobustnessCurves.kind):
            curves = run.load_result(RobustnessCurves, key)
            if metric not in curves.metrics:
                continue
            rows = per_run(curves, metric)
            rows = rows[(rows["control_of"] == "") & np.isclose(rows["strength"], strength)]
            frames.append(rows[rows["run"].isin(wanted)])
    if not frames or not sum(map(len, frames)):
        return pd.DataFrame()
    rows = pd.concat(frames, ignore_index=True)
    rows["drop"] = "drop " + rows["perturbation"] + " " + rows["modality"]
    rows = rows.drop_duplicates(["run", "drop"], keep="last")
    wide = rows.pivot(index="run", columns="drop", values="relative_drop")
    wide.insert(0, CLEAN, rows.groupby("run")["clean"].first())
    return wide
