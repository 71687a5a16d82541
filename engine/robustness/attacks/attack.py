"""What all attacks share: what they raise, the ball they stay in, and their control."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from engine.data import Dataset, Split
from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.noise.random_direction import RandomDirectionConfig
from engine.data.perturbations.perturbation import (
    NormConfig,
    Path,
    PerturbationConfig,
    Pointwise,
    Ray,
)
from engine.data.perturbations.units import Risk
from engine.foundation.errors import ConfigError
from engine.robustness.attacks.attacked_goal import AttackedGoal
from engine.robustness.attacks.balls import Ball, BallShape
from engine.robustness.attacks.goals import ExposureGoal, Goal, RankingLossGoal
from engine.robustness.attacks.held_out_goals import TopKGoal, held_out_triples
from engine.robustness.attacks.row_spaces import FullWidth, ProjectedWidth, Rows, RowSpace
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_perturbation import (
    ProjectedPath,
    ProjectedPointwise,
    ProjectedRay,
)

GoalName = Literal["untargeted", "held_out", "top_k", "promote", "demote"]


class GoalConfig(PerturbationConfig):
    """Base of all attacks: what they raise."""

    risk: ClassVar[Risk] = "adversarial"

    goal: GoalName = "untargeted"
    """``untargeted``: raise the BPR loss on frozen training triples by moving every chosen item;
    ``held_out``: the same loss on held-out positives, the attacker knowing what should be found;
    ``top_k``: push held-out positives out of their users' lists (a smooth recall); ``promote`` /
    ``demote``: move only the targets' own features, to bring them into or out of the lists."""
    target_items: tuple[int, ...] = ()
    """Ids of the items to promote or demote."""
    target_item: int | None = Field(default=None, ge=0)
    """Or the id of one item."""
    target_category: str = ""
    """Or the category all of whose items are promoted or demoted."""
    cutoff: int = Field(default=20, ge=1)
    """Length of the lists that items are to enter or leave, in items."""
    held_out: Literal["valid", "test"] = "test"
    """Whose positives the attacker knows, for the goals ``held_out`` and ``top_k``."""

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        n_targets = (
            (self.target_item is not None) + bool(self.target_category) + bool(self.target_items)
        )
        if not self.is_targeted and n_targets:
            raise ValueError(f"a target is named, but goal is '{self.goal}'; use promote or demote")
        if self.is_targeted and n_targets != 1:
            raise ValueError(
                f"goal '{self.goal}' needs target_item, target_items or target_category, just one"
            )
        return self

    @property
    def is_targeted(self) -> bool:
        """Whether certain items are to enter or leave lists."""
        return self.goal in ("promote", "demote")

    @property
    def is_drawn(self) -> bool:
        return False

    def targets(self, dataset: Dataset) -> np.ndarray | None:
        """Ids of the target items, or None for an untargeted attack.

        Raises ConfigError where the dataset has no such item or category.
        """
        if not self.is_targeted:
            return None
        if self.target_item is not None:
            return np.array([self.target_item])
        if self.target_items:
            return np.unique(np.array(self.target_items, dtype=np.int64))
        categories = dataset.items["category"].to_numpy(dtype=str)
        members = np.flatnonzero(categories == self.target_category)
        if len(members) == 0:
            known = ", ".join(sorted(set(categories) - {""})[:20]) or "none"
            raise ConfigError(
                f"target_category is '{self.target_category}'; dataset '{dataset.name}' has "
                f"{known}."
            )
        return members

    def hit_items(self, dataset: Dataset) -> np.ndarray | None:
        chosen, targets = super().hit_items(dataset), self.targets(dataset)
        if targets is None or chosen is None:
            return chosen if targets is None else targets
        return np.intersect1d(chosen, targets)

    def attacked_goal(self, model: ModelUnderTest) -> AttackedGoal:
        """The goal as a function of the features that may be moved.

        Raises DataError where the goal needs held-out interactions and there are none.
        """
        split: Split = self.held_out
        targets = self.targets(model.dataset)
        goal: Goal
        if targets is not None:
            ids = torch.from_numpy(targets).to(model.device)
            goal = ExposureGoal(model, ids, self.cutoff, self.goal == "promote")
        elif self.goal == "top_k":
            goal = TopKGoal(model, split, self.cutoff)
        elif self.goal == "held_out":
            goal = RankingLossGoal(held_out_triples(model, split))
        else:
            goal = RankingLossGoal(model.triples)
        return AttackedGoal(model, self, goal)


ChangeAt = Callable[[float], tuple[RowSpace, Rows]]
"""From a strength > 0 to an attack's change, and the space it is held in."""


class AttackConfig(GoalConfig, NormConfig):
    """Base of the attacks on features: a new one is a ``changes`` of its own."""

    is_straight: ClassVar[bool] = False
    """Whether the changes of all strengths lie on one ray."""

    ball: BallShape = "each"
    """Where several modalities are hit in L2: ``each`` has a ball of its own; ``joint``: one budget
    for all, spent where it does most (root mean square over the modalities of the relative
    lengths), so that it is never the weaker ball."""

    @abstractmethod
    def changes(
        self,
        new_space: Callable[[], RowSpace],
        lengths: Callable[[float], Rows],
        seed: int,
        draw: int,
    ) -> ChangeAt:
        """The attack, in spaces made by ``new_space``; ``lengths`` gives each row's radius [n] by
        modality at a strength."""

    def path(self, table: FeatureTable, seed: int, draw: int) -> Path:
        """The attack at full feature width."""
        attacked = self.attacked_goal(ModelUnderTest.of(table))
        return self._path(attacked, lambda: FullWidth(attacked), seed, draw)

    def fastest_path(self, model: ModelUnderTest, seed: int, draw: int) -> Path:
        """The same as ``path`` up to rounding, computed at the projection's width where it can."""
        if model.linear is None or self.norm != "l2":
            return self.path(model, seed, draw)
        attacked = self.attacked_goal(model)
        return self._path(attacked, lambda: ProjectedWidth(attacked), seed, draw)

    def projected_path(self, model: ModelUnderTest, seed: int, draw: int) -> ProjectedPath | None:
        """L2 only: the attack never leaves the span of the projection's rows and of its random
        starts, so it is computed there; exact, without the feature width."""
        if self.norm != "l2":
            return None
        attacked = self.attacked_goal(model)
        change_at = self._changes(attacked, lambda: ProjectedWidth(attacked), seed, draw)

        def moved(strength: float) -> torch.Tensor:
            space, change = change_at(strength)
            assert isinstance(space, ProjectedWidth)
            return space.projected_shift(change)

        if self.is_straight:
            return ProjectedRay(attacked.items, moved(1.0))
        return ProjectedPointwise(attacked.items, moved)

    def control(self, dataset: Dataset) -> RandomDirectionConfig:
        """A random direction of equal norm on the same modalities and items."""
        hit = self.hit_items(dataset)
        items = None if hit is None else tuple(int(i) for i in hit)
        return RandomDirectionConfig(
            modalities=self.modalities, items=items, unit=self.unit, norm=self.norm
        )

    def _changes(
        self, attacked: AttackedGoal, new_space: Callable[[], RowSpace], seed: int, draw: int
    ) -> ChangeAt:
        ones = {
            m: attacked.model.lengths(m, attacked.items, self.norm, self.unit)
            for m in attacked.modalities
        }
        return self.changes(
            new_space, lambda strength: {m: strength * x for m, x in ones.items()}, seed, draw
        )

    def _path(
        self, attacked: AttackedGoal, new_space: Callable[[], RowSpace], seed: int, draw: int
    ) -> Path:
        change_at = self._changes(attacked, new_space, seed, draw)

        def deltas(strength: float) -> Features:
            space, change = change_at(strength)
            return space.deltas(change)

        if self.is_straight:
            return Ray(attacked.items, attacked.clean, deltas(1.0))
        return Pointwise(
            attacked.items,
            lambda strength: {m: attacked.clean[m] + d for m, d in deltas(strength).items()},
        )

    def _ball(self, space: RowSpace, lengths: Rows) -> Ball:
        return Ball(space, lengths, self.norm, self.ball)
