"""Accuracy against strength: perturbations x modalities x strengths x draws x runs.

Shapes: E evaluated users, N relevant pairs, G item groups, C cutoffs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from engine.data import Dataset
from engine.data.perturbations.perturbation import Path
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.robustness.curves.curve_config import CurveConfig, Variant, variants_of
from engine.robustness.curves.curve_result import RobustnessCurves
from engine.robustness.curves.item_groups import item_groups
from engine.robustness.perturbed_model.exposure import Exposure, exposure_metrics
from engine.robustness.perturbed_model.features_removed import features_removed, why_flat
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import FactorChange, factor_path
from engine.robustness.perturbed_model.perturbed_ranking import Ranking
from engine.robustness.thread_limits import few_threads
from engine.training import Trained, strategies_of


def robustness_curves(
    trained: Sequence[Trained],
    config: CurveConfig | None = None,
    progress: Progress = silent,
    strategies: Sequence[str] | None = None,
) -> RobustnessCurves:
    """Measure every run under every perturbation of the config.

    Runs are compared on equal terms: the same draws, frozen triples and items hit. ``strategies``
    names each run's strategy, over whose seeds bands are drawn; by default as
    ``strategies_of`` does. A model that reads none of the features hit has
    a flat line, explained in ``notes``.

    Raises ConfigError where no run is given, runs are of different datasets, or a strength or
    target does not fit a kind.
    """
    config = config or CurveConfig()
    started = time.perf_counter()
    dataset = _one_dataset(trained)
    variants = variants_of(config, dataset)
    models = [ModelUnderTest(run) for run in trained]
    with few_threads(dataset.n_users * dataset.n_items):
        table = _Table(config, variants, models, strategies or strategies_of(trained))
        steps = [(v, draw) for v in range(len(variants)) for draw in range(variants[v].n_draws)]
        for step, (v, draw) in enumerate(steps):
            title = f"{variants[v].config.title}, draw {draw + 1} of {variants[v].n_draws}"
            inner = part(progress, step / len(steps), (step + 1) / len(steps), title)
            _measure_draw(table, v, draw, inner)
    progress(1.0, "curves")
    return table.result(time.perf_counter() - started)


def _measure_draw(table: _Table, v: int, draw: int, progress: Progress) -> None:
    """One draw of one perturbation, for every run at every strength."""
    config, variant = table.config, table.variants[v]
    shared: dict[tuple, Path] = {}
    for run, model in enumerate(table.models):
        progress(run / len(table.models), "")
        if not model.modalities(variant.config):
            continue
        path = factor_path(model, variant.config, config.seed, draw, shared, config.draw_at)
        for place, strength in enumerate(variant.strengths):
            if strength > 0:
                table.add(v, run, place, draw, path(strength))


def _one_dataset(trained: Sequence[Trained]) -> Dataset:
    if not trained:
        raise ConfigError("no run is given; choose at least one.")
    if len({id(run.dataset) for run in trained}) > 1:
        datasets = {run.dataset.fingerprint: run.dataset.name for run in trained}
        if len(datasets) > 1:
            raise ConfigError(
                f"the runs are of different datasets ({', '.join(datasets.values())}); curves "
                "compare runs on one dataset."
            )
    return trained[0].dataset


class _Table:
    """The arrays of the result while they fill up; a series starts as its run's clean values."""

    def __init__(
        self,
        config: CurveConfig,
        variants: list[Variant],
        models: list[ModelUnderTest],
        strategies: Sequence[str],
    ) -> None:
        self.config, self.variants, self.models = config, variants, models
        self.strategies = strategies
        self.rankings = [Ranking(model, config.split, config.cutoffs) for model in models]
        clean = self.rankings[0].metrics(self.rankings[0].clean_ranks)
        self.metrics = list(clean)
        self.n_accuracies = len(self.metrics)
        if any(variant.targets is not None for variant in variants):
            self.metrics += exposure_metrics(config.cutoffs)
        self.exposures = {
            (v, run): Exposure(ranking, variant.targets)
            for v, variant in enumerate(variants)
            if variant.targets is not None
            for run, ranking in enumerate(self.rankings)
        }
        groups = item_groups(models[0].dataset)
        self.groups = list(groups)
        pair_items = self.rankings[0].pair_items
        pairs_GN = np.stack([np.isin(pair_items, items) for items in groups.values()])
        self.pairs_GN = pairs_GN.astype(np.float32)
        self.user_metric = f"{config.user_metric}@{max(config.cutoffs)}"
        n_series = len(variants) * len(models)
        n_strengths = max(len(variant.strengths) for variant in variants)
        cells = (n_series, n_strengths, max(variant.n_draws for variant in variants))
        self.strengths = np.full((n_series, n_strengths), np.nan)
        self.values = np.full((*cells, len(self.metrics)), np.nan)
        self.found = np.full((*cells, len(self.groups), len(config.cutoffs)), np.nan)
        self.user_values = np.full((n_series, n_strengths, len(self.rankings[0].users)), np.nan)
        self.removed = np.full((n_series, len(self.metrics)), np.nan)
        for run in range(len(models)):
            self._start_clean(run)

    def _start_clean(self, run: int) -> None:
        ranking = self.rankings[run]
        means, users, shares_GC = self._measure(ranking, ranking.clean_ranks)
        removed: dict[tuple[str, ...], np.ndarray] = {}
        for v, variant in enumerate(self.variants):
            series, n = self._series(v, run), len(variant.strengths)
            self.strengths[series, :n] = variant.strengths
            self.values[series, :n, : variant.n_draws, : self.n_accuracies] = means
            self.found[series, :n, : variant.n_draws] = shares_GC
            self.user_values[series, :n] = users
            hit = variant.config.modalities
            if hit not in removed:
                without = ranking.ranks(features_removed(ranking.model, hit))
                removed[hit] = self._measure(ranking, without)[0]
            self.removed[series, : self.n_accuracies] = removed[hit]
            if (v, run) in self.exposures:
                exposure = self.exposures[v, run]
                values = list(exposure.metrics(exposure.ranks()).values())
                self.values[series, :n, : variant.n_draws, self.n_accuracies :] = values

    def _series(self, v: int, run: int) -> int:
        return v * len(self.models) + run

    def add(self, v: int, run: int, place: int, draw: int, change: FactorChange) -> None:
        """Put one measurement in its cells."""
        series, ranking = self._series(v, run), self.rankings[run]
        means, users, shares_GC = self._measure(ranking, ranking.ranks(change))
        self.values[series, place, draw, : self.n_accuracies] = means
        self.found[series, place, draw] = shares_GC
        earlier = 0.0 if draw == 0 else self.user_values[series, place] * draw
        self.user_values[series, place] = (earlier + users) / (draw + 1)
        if (v, run) in self.exposures:
            exposure = self.exposures[v, run]
            values = list(exposure.metrics(exposure.ranks(change)).values())
            self.values[series, place, draw, self.n_accuracies :] = values

    def _measure(
        self, ranking: Ranking, ranks: Tensor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Metric means, the kept metric per user [E], and found pairs [G, C]."""
        per_user = ranking.metrics(ranks)
        hits_NC = ranks.cpu().numpy()[:, None] < np.array(self.config.cutoffs)
        counts_G = self.pairs_GN.sum(axis=1)[:, None]
        found_GC = self.pairs_GN @ hits_NC.astype(np.float32)
        shares_GC = np.where(counts_G > 0, found_GC / np.maximum(counts_G, 1), np.nan)
        means = np.array([values.mean() for values in per_user.values()])
        return means, per_user[self.user_metric], shares_GC

    def result(self, seconds: float) -> RobustnessCurves:
        """The filled arrays with what a reader must know."""
        series, notes = [], []
        for variant in self.variants:
            for run, model in enumerate(self.models):
                series.append(_series_labels(variant, model, self.strategies[run]))
                if not model.modalities(variant.config):
                    notes.append(why_flat(variant.config, model, variant.modality))
        dataset = self.models[0].dataset
        return RobustnessCurves(
            series=series,
            strengths=self.strengths,
            metrics=self.metrics,
            values=self.values,
            groups=self.groups,
            cutoffs=list(self.config.cutoffs),
            found=self.found,
            user_metric=self.user_metric,
            users=self.rankings[0].users,
            user_values=self.user_values,
            removed=self.removed,
            split=self.config.split,
            notes=list(dict.fromkeys(notes)),
            config=self.config.model_dump(mode="json"),
            provenance={
                "runs": [model.trained.run for model in self.models],
                "labels": [model.trained.label for model in self.models],
                "dataset": dataset.name,
                "fingerprint": dataset.fingerprint,
                "n_users": len(self.rankings[0].users),
                "seconds": seconds,
            },
        )


def _series_labels(variant: Variant, model: ModelUnderTest, strategy: str) -> dict[str, Any]:
    trained = model.trained
    return {
        "run": trained.run or trained.label or strategy,
        "label": trained.label or trained.run or strategy,
        "strategy": strategy,
        "seed": trained.config.seed,
        "perturbation": variant.name,
        "title": variant.config.title + variant.name.removeprefix(variant.config.name),
        "control_of": variant.control_of,
        "modality": variant.modality,
        "unit": variant.config.strength_unit,
        "settings": variant.config.model_dump(mode="json"),
    }
