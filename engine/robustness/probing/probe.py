"""One model under one perturbation, at once: what the slider asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from torch import Tensor

from engine.data import Split
from engine.data.perturbations.perturbation import PerturbationConfig, check_strength
from engine.foundation.errors import ConfigError
from engine.robustness.attacks.attack import GoalConfig
from engine.robustness.perturbed_model.exposure import Exposure
from engine.robustness.perturbed_model.features_removed import features_removed, why_flat
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import (
    FactorChange,
    FactorPath,
    factor_path,
)
from engine.robustness.perturbed_model.perturbed_ranking import Ranking
from engine.robustness.thread_limits import few_threads
from engine.training import Trained

KEPT_PATHS = 8
"""Draws kept, so that moving the slider only scales what was drawn."""


@dataclass(frozen=True)
class ProbeAnswer:
    """Accuracy of each user before and under a perturbation, in the order of ``users``."""

    config: PerturbationConfig
    strength: float
    unit: str
    """What strength 1 means."""
    users: np.ndarray
    """Ids of the evaluated users [E]."""
    clean: dict[str, np.ndarray]
    """Metrics on clean features, e.g. ``recall@20`` [E]."""
    perturbed: dict[str, np.ndarray]
    control: dict[str, np.ndarray] | None
    """Under a random direction of equal norm; None where the perturbation is no attack."""
    target: dict[str, dict[str, float]]
    """For a targeted attack: ``clean``, ``perturbed`` and ``control`` exposure of the targets
    (entered@k, chr@k, target_rank); else {}."""
    removed: dict[str, np.ndarray]
    """With the modalities hit set to zero for every item: where this is the clean accuracy, the
    model gains nothing by them, and keeping its accuracy is no robustness [E]."""
    n_items_changed: int
    note: str
    """Why nothing moved, where the model reads none of the features hit; else ''."""
    change: FactorChange = field(repr=False)
    """What the perturbation did to the factors; ``RobustnessProbe.lists`` reads it."""

    def means(self) -> pd.DataFrame:
        """One row a metric: clean, perturbed, control, removed, drop, relative_drop."""
        table = pd.DataFrame({"metric": list(self.clean)})
        table["clean"] = [self.clean[m].mean() for m in self.clean]
        table["perturbed"] = [self.perturbed[m].mean() for m in self.clean]
        if self.control is not None:
            table["control"] = [self.control[m].mean() for m in self.clean]
        table["removed"] = [self.removed[m].mean() for m in self.clean]
        table["drop"] = table["clean"] - table["perturbed"]
        table["relative_drop"] = table["drop"] / table["clean"].where(table["clean"] > 0)
        return table

    def losers(self, metric: str, n: int = 10) -> pd.DataFrame:
        """The users who lost most in a metric, worst first: user, clean, perturbed, change."""
        clean, perturbed = self.clean[metric], self.perturbed[metric]
        order = np.lexsort((self.users, perturbed - clean))[:n]
        return pd.DataFrame(
            {
                "user": self.users[order],
                "clean": clean[order],
                "perturbed": perturbed[order],
                "change": (perturbed - clean)[order],
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        text = (
            f"One draw of {self.config.title} at strength {self.strength:g} ({self.unit}), on "
            f"{self.n_items_changed} items, for {len(self.users)} users. One draw of one trained "
            "model: differences of a few thousandths are within what another draw or seed gives. "
        )
        if self.control is not None:
            text += "The control is a random direction of the same norm. "
        return (text + self.note).strip()


class RobustnessProbe:
    """Holds one model's clean state, so that each question costs only what it changes."""

    def __init__(
        self, trained: Trained, split: Split = "test", cutoffs: tuple[int, ...] = (10, 20)
    ) -> None:
        self.model = ModelUnderTest(trained)
        self.ranking = Ranking(self.model, split, cutoffs)
        self._paths: dict[tuple[str, int, int], FactorPath] = {}
        self._removed: dict[tuple[str, ...], dict[str, np.ndarray]] = {}

    @cached_property
    def clean(self) -> dict[str, np.ndarray]:
        """Metrics of each user on clean features."""
        return self.ranking.metrics(self.ranking.clean_ranks)

    def at(
        self, config: PerturbationConfig, strength: float, draw: int = 0, seed: int = 0
    ) -> ProbeAnswer:
        """Accuracy and factors under a perturbation, beside its random control if it is an attack.

        Raises ConfigError for a strength, item or target that does not fit.
        """
        check_strength(config, strength)
        dataset = self.model.dataset
        with few_threads(dataset.n_users * dataset.n_items):
            return self._answer(config, strength, draw, seed)

    def _answer(
        self, config: PerturbationConfig, strength: float, draw: int, seed: int
    ) -> ProbeAnswer:
        change = self._path(config, seed, draw)(strength)
        dataset = self.model.dataset
        control_config = config.control(dataset)
        control_change = None
        if control_config is not None:
            control_change = self._path(control_config, seed, draw)(strength)
        target: dict[str, dict[str, float]] = {}
        targets = config.targets(dataset) if isinstance(config, GoalConfig) else None
        if targets is not None:
            exposure = Exposure(self.ranking, targets)
            states = {"clean": None, "perturbed": change, "control": control_change}
            target = {name: exposure.metrics(exposure.ranks(c)) for name, c in states.items()}
        reached = bool(self.model.modalities(config))
        return ProbeAnswer(
            config=config,
            strength=strength,
            unit=config.strength_unit,
            users=self.ranking.users,
            clean=self.clean,
            perturbed=self._metrics(change),
            control=None if control_change is None else self._metrics(control_change),
            target=target,
            removed=self._without(config.modalities),
            n_items_changed=len(change.items),
            note="" if reached else why_flat(config, self.model, "the chosen features"),
            change=change,
        )

    def _without(self, modalities: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Metrics with these modalities removed; measured once."""
        if modalities not in self._removed:
            self._removed[modalities] = self._metrics(features_removed(self.model, modalities))
        return self._removed[modalities]

    def target_ranks(self, answer: ProbeAnswer) -> pd.DataFrame:
        """Each user's rank of each target item before and after a targeted attack.

        One row for each user who does not have the item in train: user, item, rank_before and
        rank_after (from 1 among the items not in train; ties count against the target) and climb
        (places gained). Raises ConfigError for an attack without a target.
        """
        config = answer.config
        targets = None
        if isinstance(config, GoalConfig):
            targets = config.targets(self.model.dataset)
        if targets is None:
            raise ConfigError(f"{config.title} has no target; choose promote or demote.")
        exposure = Exposure(self.ranking, targets)
        before_ET, after_ET = exposure.ranks(None), exposure.ranks(answer.change)
        e, t = exposure.is_new_ET.nonzero(as_tuple=True)
        before, after = (r[e, t].cpu().numpy() + 1 for r in (before_ET, after_ET))
        return pd.DataFrame(
            {
                "user": self.ranking.users[e.cpu().numpy()],
                "item": targets[t.cpu().numpy()],
                "rank_before": before,
                "rank_after": after,
                "climb": before - after,
            }
        )

    def lists(self, answer: ProbeAnswer, user: int, k: int = 10) -> pd.DataFrame:
        """One user's first k items before and after, train items left out.

        One row for each item on either list: item, rank_before and rank_after (from 1 over all
        items), shift (places climbed; negative: fell), score_before, score_after, in_before,
        in_after, is_relevant (among the split's items of the user). Sorted by rank before.
        """
        users, items = self.model.clean_factors
        after_users = answer.change.user_factors
        before = self._user_scores(users, items, user)
        after = self._user_scores(
            users if after_users is None else after_users,
            self.ranking.items_after(answer.change),
            user,
        )
        ranks_before, ranks_after = _ranks(before), _ranks(after)
        chosen = np.flatnonzero(
            ((ranks_before <= k) & np.isfinite(before)) | ((ranks_after <= k) & np.isfinite(after))
        )
        chosen = chosen[np.argsort(ranks_before[chosen])]
        relevant = self.model.dataset.matrix(self.ranking.split)[user].indices
        return pd.DataFrame(
            {
                "item": chosen,
                "rank_before": ranks_before[chosen],
                "rank_after": ranks_after[chosen],
                "shift": ranks_before[chosen] - ranks_after[chosen],
                "score_before": before[chosen],
                "score_after": after[chosen],
                "in_before": ranks_before[chosen] <= k,
                "in_after": ranks_after[chosen] <= k,
                "is_relevant": np.isin(chosen, relevant),
            }
        )

    def _metrics(self, change: FactorChange) -> dict[str, np.ndarray]:
        if len(change.items) == 0 and change.user_factors is None:
            return self.clean
        return self.ranking.metrics(self.ranking.ranks(change))

    def _path(self, config: PerturbationConfig, seed: int, draw: int) -> FactorPath:
        key = (config.model_dump_json(), seed, draw)
        if key not in self._paths:
            while len(self._paths) >= KEPT_PATHS:
                self._paths.pop(next(iter(self._paths)))
            self._paths[key] = factor_path(self.model, config, seed, draw)
        return self._paths[key]

    def _user_scores(self, users_UD: Tensor, items_ID: Tensor, user: int) -> np.ndarray:
        scores_I = (items_ID @ users_UD[user]).cpu().numpy().astype(np.float64)
        scores_I[self.model.dataset.matrix("train")[user].indices] = -np.inf
        return scores_I


def _ranks(scores_I: np.ndarray) -> np.ndarray:
    """Rank from 1 of every item, the best first; ties by id."""
    ranks = np.empty(len(scores_I), dtype=np.int64)
    ranks[np.argsort(-scores_I, kind="stable")] = np.arange(1, len(scores_I) + 1)
    return ranks
