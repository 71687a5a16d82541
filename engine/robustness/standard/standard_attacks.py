"""Every run under the standard set of attacks, beside noise of equal norm and removed features.

Shapes: R runs, S strengths, A attacks, M metrics, E evaluated users, I items.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from engine.data.perturbations.noise.missing import MissingConfig
from engine.data.perturbations.perturbation import Path
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.robustness.attacks import AttackConfig
from engine.robustness.perturbed_model.exposure import Exposure
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import (
    FactorChange,
    factor_path,
    factors_after,
)
from engine.robustness.perturbed_model.perturbed_ranking import Ranking
from engine.robustness.standard.plain_twins import is_plain, plain_twin
from engine.robustness.standard.standard_config import (
    ATTACK_TITLES,
    PROMOTION,
    TRANSFER,
    StandardAttackConfig,
)
from engine.robustness.standard.standard_result import FILLS, StandardAttacks
from engine.robustness.thread_limits import few_threads
from engine.training import Trained, strategies_of

SEEN = 1e-5
"""Least change of a score, as a share of the scores' spread, that counts as seeing features."""
SCORED_USERS = 256


def standard_attacks(
    trained: Sequence[Trained],
    config: StandardAttackConfig | None = None,
    progress: Progress = silent,
    strategies: Sequence[str] | None = None,
    twins: Sequence[Trained] = (),
) -> StandardAttacks:
    """Accuracy of every run under every attack of the set at every strength.

    ``strategies`` names each run's strategy; by default as ``strategies_of`` does. ``twins``:
    further runs of the dataset in which plainly trained twins of the same seed are looked for,
    beside the runs themselves; a run without one lacks the transferred attack, and ``notes`` say
    so.

    Raises ConfigError where no run is given or runs are of different datasets.
    """
    config = config or StandardAttackConfig()
    started = time.perf_counter()
    if not trained:
        raise ConfigError("no run is given; choose at least one.")
    if len({run.dataset.fingerprint for run in trained}) > 1:
        raise ConfigError("the runs are of different datasets; attack runs of one dataset.")
    names = strategies or strategies_of(trained)
    sources = _Sources([*trained, *twins], config)
    dataset = trained[0].dataset
    with few_threads(dataset.n_users * dataset.n_items):
        measured = []
        for place, run in enumerate(trained):
            inner = part(progress, place / len(trained), (place + 1) / len(trained), run.label)
            measured.append(_RunMeasures(run, config, sources, inner))
    progress(1.0, "standard attacks")
    notes = [note for one in measured for note in one.notes]
    return StandardAttacks(
        runs=[_run_labels(one, name) for one, name in zip(measured, names, strict=True)],
        strengths=np.array(config.strengths),
        attacks=list(ATTACK_TITLES),
        metrics=measured[0].metrics,
        values=np.stack([one.values for one in measured]),
        joint=np.stack([one.joint for one in measured]),
        noise=np.stack([one.noise for one in measured]),
        removed=np.stack([one.removed for one in measured]),
        entered=np.stack([one.entered for one in measured]),
        is_attackable=np.array([one.is_attackable for one in measured]),
        unit=config.control.strength_unit,
        notes=list(dict.fromkeys(notes)),
        config=config.model_dump(mode="json"),
        provenance={
            "runs": [run.run for run in trained],
            "labels": [run.label for run in trained],
            "dataset": dataset.name,
            "fingerprint": dataset.fingerprint,
            "n_users": len(measured[0].ranking.users),
            "seconds": time.perf_counter() - started,
        },
    )


class _Sources:
    """Plain twins and what the transferred attack does to their features, once for each twin."""

    def __init__(self, runs: Sequence[Trained], config: StandardAttackConfig) -> None:
        self.runs = runs
        self.attack = config.attacks(runs[0].dataset)["pgd-top-k"]
        self.seed = config.seed
        self._paths: dict[int, Path] = {}

    def twin_of(self, run: Trained) -> Trained | None:
        """The run's plain twin, or None."""
        place = plain_twin(run.config, [other.config for other in self.runs])
        return None if place is None else self.runs[place]

    def path(self, twin: Trained) -> Path:
        """The attack on the twin, as a path of features."""
        if id(twin) not in self._paths:
            self._paths[id(twin)] = _cached_path(
                self.attack.fastest_path(ModelUnderTest(twin), self.seed, 0)
            )
        return self._paths[id(twin)]


def _cached_path(path: Path) -> Path:
    """The same path, each strength computed once."""
    changes: dict[float, Any] = {}

    class Remembered:
        def at(self, strength: float) -> Any:
            if strength not in changes:
                changes[strength] = path.at(strength)
            return changes[strength]

    return Remembered()


class _RunMeasures:
    """One run under the whole set."""

    def __init__(
        self, run: Trained, config: StandardAttackConfig, sources: _Sources, progress: Progress
    ) -> None:
        self.run, self.config, self.notes = run, config, list[str]()
        self.model = ModelUnderTest(run)
        self.ranking = Ranking(self.model, config.split, (config.cutoff,))
        clean = self.ranking.metrics(self.ranking.clean_ranks)
        self.metrics = list(clean)
        means = np.array([values.mean() for values in clean.values()])
        n = len(config.strengths)
        self.values = np.tile(means, (n, len(ATTACK_TITLES), 1))
        self.joint = np.full((n, len(means)), np.nan)
        self.noise = np.tile(means, (n, 1))
        self.removed = np.stack([self._accuracy(self._without_features(fill)) for fill in FILLS])
        self.entered = np.full(n, np.nan)
        self.twin: Trained | None = None
        self.is_attackable = self._sees_features()
        self._measure(sources, progress)

    def _measure(self, sources: _Sources, progress: Progress) -> None:
        attacks = self.config.attacks(self.run.dataset)
        exposure = Exposure(self.ranking, _targets(attacks[PROMOTION], self.run))
        name = f"entered@{self.config.cutoff}"
        self.entered[:] = exposure.metrics(exposure.ranks())[name]
        if not self.is_attackable:
            self.notes.append(
                f"{self.model.name} is not attackable through features: its scores see none of "
                "those attacked."
            )
            return
        for place, (key, attack) in enumerate(attacks.items()):
            progress(place / (len(attacks) + 2), ATTACK_TITLES[key])
            column = list(ATTACK_TITLES).index(key)
            path = factor_path(self.model, attack, self.config.seed, 0)
            for row, change in self._along(path):
                self.values[row, column] = self._accuracy(change)
                if key == PROMOTION:
                    self.entered[row] = exposure.metrics(exposure.ranks(change))[name]
        self._measure_joint(attacks["pgd-top-k"])
        self._measure_transfer(sources)
        self._measure_noise()

    def _measure_joint(self, attack: AttackConfig) -> None:
        if self.config.norm == "linf" or len(self.model.modalities(attack)) < 2:
            return
        joint = attack.model_copy(update={"ball": "joint"})
        path = factor_path(self.model, joint, self.config.seed, 0)
        self.joint[0] = self.values[0, 0]
        for row, change in self._along(path):
            self.joint[row] = self._accuracy(change)

    def _measure_transfer(self, sources: _Sources) -> None:
        column = list(ATTACK_TITLES).index(TRANSFER)
        if is_plain(self.run.config):
            self.notes.append(
                f"{self.model.name} is trained plainly itself, so no attack is transferred to it."
            )
        elif (twin := sources.twin_of(self.run)) is None:
            self.notes.append(
                f"{self.model.name} has no plainly trained twin (same model, features and seed "
                f"{self.run.config.seed}), so no attack is transferred to it; train one."
            )
        else:
            self.twin = twin
            path = sources.path(twin)
            for row, change in self._along(lambda s: factors_after(self.model, path.at(s))):
                self.values[row, column] = self._accuracy(change)
            return
        self.values[1:, column] = np.nan

    def _measure_noise(self) -> None:
        draws = [
            factor_path(self.model, self.config.control, self.config.seed, draw)
            for draw in range(self.config.n_draws)
        ]
        for row, strength in enumerate(self.config.strengths):
            if strength > 0:
                drawn = [self._accuracy(path(strength)) for path in draws]
                self.noise[row] = np.mean(drawn, axis=0)

    def _along(self, path: Callable[[float], FactorChange]) -> list[tuple[int, FactorChange]]:
        return [(row, path(s)) for row, s in enumerate(self.config.strengths) if s > 0]

    def _accuracy(self, change: FactorChange) -> np.ndarray:
        per_user = self.ranking.metrics(self.ranking.ranks(change))
        return np.array([values.mean() for values in per_user.values()])

    def _without_features(self, fill: str) -> FactorChange:
        missing = MissingConfig.parse({"modalities": self.config.modalities, "fill": fill})
        return factor_path(self.model, missing, 0, 0)(1.0)

    def _sees_features(self) -> bool:
        """Whether any score moves when features are removed or replaced by noise.

        A constant added to all scores of a user is no move: it changes no list.
        """
        random = factor_path(self.model, self.config.control, self.config.seed, 0)(1.0)
        clean = self._centred_scores(None)
        spread = float(clean.std()) or 1.0
        return any(
            float((self._centred_scores(change) - clean).abs().max()) > SEEN * spread
            for change in (*(self._without_features(fill) for fill in FILLS), random)
        )

    def _centred_scores(self, change: FactorChange | None) -> torch.Tensor:
        users_UD, items_ID = self.model.clean_factors
        if change is not None:
            items_ID = self.ranking.items_after(change)
            users_UD = users_UD if change.user_factors is None else change.user_factors
        scores_EI = users_UD[self.ranking.user_ids[:SCORED_USERS]].double() @ items_ID.double().T
        return scores_EI - scores_EI.mean(dim=1, keepdim=True)


def _targets(attack: AttackConfig, run: Trained) -> np.ndarray:
    targets = attack.targets(run.dataset)
    assert targets is not None
    return targets


def _run_labels(measures: _RunMeasures, strategy: str) -> dict[str, Any]:
    run = measures.run
    adversary = run.config.objective.adversary
    settings = run.config.model_dump(mode="json", exclude={"seed", "device"})
    epsilon = settings["objective"]["adversary"].pop("epsilon", None) if adversary else None
    return {
        "run": run.run or run.label or strategy,
        "label": run.label or run.run or strategy,
        "strategy": strategy,
        "seed": run.config.seed,
        "twin": "" if measures.twin is None else measures.twin.label,
        "is_plain": is_plain(run.config),
        "epsilon": epsilon,
        "sweep": json.dumps(settings, sort_keys=True) if epsilon is not None else "",
    }
