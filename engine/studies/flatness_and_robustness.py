"""Flatness and robustness of runs side by side, from the results in their folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from engine.foundation.errors import ResultError, RunError
from engine.runs import Run, RunStore
from engine.runs.comparison.strategies import strategy_names

if TYPE_CHECKING:
    from engine.geometry import Curvature
    from engine.robustness import RobustnessCurves

CLEAN = "clean_accuracy"


@dataclass(frozen=True)
class FlatnessAndRobustness:
    """Flatness by strategy, one row a run that has both, and what other runs lack."""

    flatness: pd.DataFrame
    """As ``engine.geometry.flatness_table``: each measure's mean and interval over the runs of a
    strategy, of all runs that keep a curvature."""
    table: pd.DataFrame
    """run, label, strategy, seed, clean_accuracy, each flatness measure, and
    ``drop <perturbation> <modality>``: the share of clean accuracy lost at the strength."""
    settings: dict[str, Any]
    """With which all the curvatures were computed; empty where there are none."""
    metric: str
    strength: float
    without_curvature: tuple[str, ...]
    """Ids of runs that keep no curvature with these settings."""
    without_curves: tuple[str, ...]
    """Ids of runs that no kept curves hold at this strength and metric."""

    @property
    def ground(self) -> str:
        """How the curvatures were computed, as far as it moves the measures, in words."""
        names = ("loss", "n_triples", "seed", "rho", "adaptive_rho", "epsilon", "sigma")
        values = {name: self.settings[name] for name in names if name in self.settings}
        values = {n: "all" if v is None else v for n, v in values.items()}
        return ", ".join(f"{name} {value}" for name, value in values.items())

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


def gather_flatness_and_robustness(
    store: RunStore,
    runs: Sequence[str],
    metric: str = "recall@20",
    strength: float = 0.1,
    strategies: Mapping[str, str] | None = None,
) -> FlatnessAndRobustness:
    """Flatness and accuracy drops of finished runs, from the results kept in a runs folder.

    Only results of one config may be compared: of the configs kept, the one that most runs have
    counts. Curves of several runs lie in the folder of one of them, so all the given runs' folders
    are read. Draws are averaged and random controls left out. ``strategies`` names each run's
    strategy by id; by default as ``strategy_names`` does. Raises RunError where the runs were
    trained on different datasets.
    """
    from engine.geometry import flatness_table

    all_runs = [store.get(run) for run in runs]
    if len({run.provenance.get("dataset", {}).get("fingerprint") for run in all_runs}) > 1:
        raise RunError("the runs were trained on different datasets; choose runs of one dataset.")
    strategy_of = dict(zip((run.id for run in all_runs), strategy_names(all_runs), strict=True))
    strategy_of |= strategies or {}
    curvatures = _curvatures(all_runs)
    drops = _drops(all_runs, metric, strength)
    rows = []
    for run in all_runs:
        if run.id not in curvatures or run.id not in drops.index:
            continue
        row: dict[str, Any] = {"run": run.id, "label": run.name, "strategy": strategy_of[run.id]}
        row["seed"] = int(run.config.get("seed", 0))
        row |= curvatures[run.id].measures
        row |= {str(name): value for name, value in drops.loc[run.id].items()}
        rows.append(row)
    results = list(curvatures.values())
    return FlatnessAndRobustness(
        flatness=flatness_table(results, [strategy_of[run] for run in curvatures]),
        table=pd.DataFrame(rows),
        settings=results[0].config if results else {},
        metric=metric,
        strength=strength,
        without_curvature=tuple(r.id for r in all_runs if r.id not in curvatures),
        without_curves=tuple(r.id for r in all_runs if r.id not in drops.index),
    )


def _curvatures(runs: Sequence[Run]) -> dict[str, Curvature]:
    """By run id: curvatures of the one config that most runs keep."""
    from engine.geometry import Curvature

    by_settings: dict[str, dict[str, Curvature]] = {}
    for run in runs:
        for key in run.results(Curvature.kind):
            try:
                curvature = run.load_result(Curvature, key)
            except ResultError:  # the run is named among those without one
                continue
            settings = json.dumps(curvature.config, sort_keys=True)
            by_settings.setdefault(settings, {})[run.id] = curvature
    return max(by_settings.values(), key=len, default={})


def _drops(runs: Sequence[Run], metric: str, strength: float) -> pd.DataFrame:
    """By run id: clean_accuracy, and the share lost under each perturbation and modality.

    On the test split, each perturbation with the settings that most runs have.
    """
    from engine.robustness import RobustnessCurves

    wanted = {run.id for run in runs}
    frames = []
    for run in runs:
        for key in run.results(RobustnessCurves.kind):
            try:
                curves = run.load_result(RobustnessCurves, key)
            except ResultError:
                continue
            if metric not in curves.metrics or curves.split != "test":
                continue
            rows = curves.per_run(metric)
            rows = rows[(rows["control_of"] == "") & np.isclose(rows["strength"], strength)]
            rows = rows[rows["run"].isin(wanted)]
            rows["drop"] = "drop " + rows["perturbation"] + " " + rows["modality"]
            rows["settings"] = rows["drop"].map(_settings_by_drop(curves))
            frames.append(rows)
    if not frames or not sum(map(len, frames)):
        return pd.DataFrame()
    rows = pd.concat(frames, ignore_index=True).drop_duplicates(["run", "drop", "settings"])
    counts = rows.groupby(["drop", "settings"], sort=False)["run"].count().reset_index()
    usual = counts.sort_values("run", ascending=False, kind="stable").drop_duplicates("drop")
    rows = rows.merge(usual[["drop", "settings"]])
    wide = rows.pivot(index="run", columns="drop", values="relative_drop")
    wide.insert(0, CLEAN, rows.groupby("run")["clean"].first())
    return wide


def _settings_by_drop(curves: RobustnessCurves) -> dict[str, str]:
    """All that decides a series' numbers beside the run and the strength, as text."""
    shared = {name: curves.config.get(name) for name in ("n_draws", "draw_at", "seed")}
    return {
        f"drop {series['perturbation']} {series['modality']}": json.dumps(
            [series.get("settings"), shared], sort_keys=True
        )
        for series in curves.series
        if not series["control_of"]
    }
