"""Accuracy against strength: the result, and its tidy table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result
from engine.robustness.curves.bands import KEYS, summary

CAPTION = (
    "Accuracy on {split} interactions (full ranking, train items left out) against the strength of "
    "a perturbation of the features, one line for each training strategy and band over its seeds. "
    "Strength 0 is the clean model. Strengths of different kinds are in different units and cannot "
    "be compared with each other; an attack is to be read beside its random control of equal norm. "
    "A flat line does not prove a robust model: one that hardly uses its features is flat too, so "
    "look at what it scores with these features removed (zero for every item); where that is the "
    "clean value, it gains nothing by them, and a flat line is disuse. An attack shows a weakness "
    "where it finds one; where it finds none, a stronger one may. {notes}"
)


@dataclass(frozen=True)
class RobustnessCurves(Result):
    """Metrics of every series (a run under one kind of perturbation) at every strength and draw.

    ``values`` are means over users. ``found`` is the share of a group's relevant (user, item) pairs
    whose item is among the user's first k. Draws that a series does not have, metrics that only
    targeted attacks have, and strengths beyond a shorter grid are NaN.
    """

    kind: ClassVar[str] = "robustness-curves"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "strengths": ("series", "strength"),
        "values": ("series", "strength", "draw", "metric"),
        "found": ("series", "strength", "draw", "group", "cutoff"),
        "user_values": ("series", "strength", "user"),
        "removed": ("series", "metric"),
        "users": ("user",),
    }
    units: ClassVar[dict[str, str]] = {
        "strengths": "each series' 'unit'",
        "values": "metric, 0 to 1; target_rank in ranks from 1",
        "found": "share, 0 to 1",
        "user_values": "'user_metric', 0 to 1, mean over draws",
        "removed": "metric, 0 to 1",
        "users": "user id",
    }

    series: list[dict[str, Any]]
    """run (its id), label (its name), strategy, seed, perturbation (its name, with settings where a
    kind occurs twice), title, control_of ('' or an attack's name), modality, unit, and the
    perturbation's ``settings``; one entry a series."""
    strengths: np.ndarray
    metrics: list[str]
    values: np.ndarray
    groups: list[str]
    cutoffs: list[int]
    found: np.ndarray
    user_metric: str
    users: np.ndarray
    user_values: np.ndarray
    removed: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """What each series' run scores with the modalities hit set to zero for all items; empty in
    results that were made before this was measured, NaN for metrics of targeted attacks."""
    split: str = "test"
    notes: list[str] = ()  # type: ignore[assignment]  # replaced by a list when computed
    """What a reader must know, e.g. why a line is flat."""

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        return CAPTION.format(split=self.split, notes=" ".join(self.notes)).strip()

    @property
    def titles(self) -> dict[str, str]:
        """What figures call each perturbation, by its name in ``series``."""
        return {s["perturbation"]: s.get("title", s["perturbation"]) for s in self.series}

    def to_frame(self) -> pd.DataFrame:
        """One row for each series, strength, draw and metric: run, label, strategy, seed,
        perturbation, control_of, modality, unit, strength, draw, metric, value."""
        frames = []
        for index, series in enumerate(self.series):
            frames += [self._rows(index, series, self.values[index], self.metrics)]
        return pd.concat(frames, ignore_index=True)

    def per_run(self, metric: str) -> pd.DataFrame:
        """One row for each run, perturbation, modality and strength, averaged over draws.

        Columns: run, label, seed, KEYS, strength, value, clean, removed (the value with the
        features hit set to zero, NaN where not measured), drop (absolute), relative_drop (share of
        the clean value, NaN where that is 0). Raises KeyError for a metric that was not measured.
        """
        if metric not in self.metrics:
            raise KeyError(f"'{metric}' was not measured; there are {', '.join(self.metrics)}.")
        place = self.metrics.index(metric)
        frames = []
        for index, series in enumerate(self.series):
            values_SD = self.values[index, :, :, place]
            n = int(np.isfinite(self.strengths[index]).sum())
            if np.isnan(values_SD[0, 0]):
                continue  # exposure of an untargeted kind
            counts = np.maximum(np.isfinite(values_SD[:n]).sum(axis=1), 1)
            means = np.nansum(values_SD[:n], axis=1) / counts
            means[0] = values_SD[0, 0]
            labels = {"run": series["run"], "label": series.get("label", series["run"])}
            labels |= {key: series[key] for key in ["seed", *KEYS]}
            frame = pd.DataFrame([labels] * n)
            frame["strength"] = self.strengths[index, :n]
            frame["value"], frame["clean"] = means, means[0]
            frame["removed"] = self.removed[index, place] if self.removed.size else np.nan
            frames.append(frame)
        table = pd.concat(frames, ignore_index=True)
        table["drop"] = table["clean"] - table["value"]
        table["relative_drop"] = table["drop"] / table["clean"].where(table["clean"] > 0)
        return table

    def group_frame(self) -> pd.DataFrame:
        """The same table for item groups: columns group and metric (found@k) beside the others."""
        frames = []
        names = [f"found@{k}" for k in self.cutoffs]
        for index, series in enumerate(self.series):
            for group, name in enumerate(self.groups):
                rows = self._rows(index, series, self.found[index, :, :, group], names)
                frames.append(rows.assign(group=name))
        return pd.concat(frames, ignore_index=True)

    def group_means(self) -> pd.DataFrame:
        """Item groups averaged over draws: the labels of ``to_frame``, group, strength, metric
        (found@k), clean and value; one row for each series, group, cutoff and strength."""
        counts = np.isfinite(self.found).sum(axis=2)
        means = np.nansum(self.found, axis=2) / np.where(counts > 0, counts, np.nan)
        places = np.indices(means.shape).reshape(4, -1)
        table = pd.DataFrame([self._labels(s) for s in self.series]).iloc[places[0]]
        table = table.reset_index(drop=True)
        table["group"] = np.array(self.groups, dtype=object)[places[2]]
        table["strength"] = self.strengths[places[0], places[1]]
        table["metric"] = np.array([f"found@{k}" for k in self.cutoffs], dtype=object)[places[3]]
        table["clean"] = means[places[0], 0, places[2], places[3]]
        table["value"] = means.ravel()
        return table.dropna(subset=["strength", "value"]).reset_index(drop=True)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every draw; item groups; and means, areas and half strengths of each strategy."""
        metrics = [m for m in self.metrics if m.startswith(("recall", "ndcg"))]
        summaries = [summary(self.per_run(metric)).assign(metric=metric) for metric in metrics]
        return {
            "": self.to_frame(),
            "groups": self.group_means(),
            "summary": pd.concat(summaries, ignore_index=True),
        }

    def user_frame(self, series: int, strength: float) -> pd.DataFrame:
        """Who lost most in one series at the given strength: user, clean, perturbed, change; worst
        first. Raises KeyError where the series has no such strength."""
        place = np.flatnonzero(np.isclose(self.strengths[series], strength))
        if len(place) == 0:
            raise KeyError(f"strength {strength} is not in {self.strengths[series].tolist()}")
        clean, perturbed = self.user_values[series, 0], self.user_values[series, place[0]]
        frame = pd.DataFrame(
            {
                "user": self.users,
                "clean": clean,
                "perturbed": perturbed,
                "change": perturbed - clean,
            }
        )
        return frame.sort_values(["change", "user"], ignore_index=True)

    def _rows(
        self, index: int, series: dict[str, Any], values_SDM: np.ndarray, metrics: list[str]
    ) -> pd.DataFrame:
        n_strengths, n_draws, n_metrics = values_SDM.shape
        table = pd.DataFrame(
            {
                "strength": np.repeat(self.strengths[index], n_draws * n_metrics),
                "draw": np.tile(np.repeat(np.arange(n_draws), n_metrics), n_strengths),
                "metric": np.tile(np.array(metrics, dtype=object), n_strengths * n_draws),
                "value": values_SDM.ravel(),
            }
        )
        table = table[table["value"].notna() & table["strength"].notna()]
        described = pd.DataFrame([self._labels(series)] * len(table), index=table.index)
        return pd.concat([described, table], axis=1)

    @staticmethod
    def _labels(series: dict[str, Any]) -> dict[str, Any]:
        """What tables say of a series."""
        return {k: value for k, value in series.items() if k not in ("settings", "title")}
