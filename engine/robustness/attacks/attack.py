"""What FGSM and PGD share: the goal, its gradient by the features, and the control."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features
from engine.data.perturbations.noise.random_direction import RandomDirectionConfig
from engine.data.perturbations.perturbation import NormConfig, PerturbationConfig
from engine.data.perturbations.units import Risk
from engine.foundation.errors import ConfigError
from engine.robustness.attacks.goals import ExposureGoal, Goal, RankingLossGoal
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_perturbation import ProjectedPath


class GoalConfig(PerturbationConfig):
    """Base of all attacks: what they raise."""

    risk: ClassVar[Risk] = "adversarial"

    goal: Literal["untargeted", "promote", "demote"] = "untargeted"
    """``untargeted``: raise the BPR loss on frozen training triples by moving every chosen item;
    ``promote`` / ``demote``: move only the target's own features, to bring it into or out of the
    users' lists."""
    target_item: int | None = Field(default=None, ge=0)
    """Id of the item to promote or demote."""
    target_category: str = ""
    """Or the category all of whose items are promoted or demoted."""
    cutoff: int = Field(default=20, ge=1)
    """Length of the lists that a target is to enter or leave, in items."""

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        n_targets = (self.target_item is not None) + bool(self.target_category)
        if self.goal == "untargeted" and n_targets:
            raise ValueError("a target is named, but goal is 'untargeted'; use promote or demote")
        if self.goal != "untargeted" and n_targets != 1:
            raise ValueError(f"goal '{self.goal}' needs target_item or target_category, just one")
        return self

    @property
    def is_drawn(self) -> bool:
        return False

    def targets(self, dataset: Dataset) -> np.ndarray | None:
        """Ids of the target items, or None for an untargeted attack.

        Raises ConfigError where the dataset has no such item or category.
        """
        if self.goal == "untargeted":
            return None
        if self.target_item is not None:
            return np.array([self.target_item])
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


class AttackConfig(GoalConfig, NormConfig):
    """Base of the attacks on features."""

    def projected(self, model: ModelUnderTest, seed: int, draw: int) -> ProjectedPath | None:
        """The same draw at the width of a linear projection where that is exact, or None.

        Asked only of models whose model is a linear projection.
        """
        del model, seed, draw
        return None

    def control(self, dataset: Dataset) -> RandomDirectionConfig:
        """A random direction of equal norm on the same modalities and items."""
        hit = self.hit_items(dataset)
        items = None if hit is None else tuple(int(i) for i in hit)
        return RandomDirectionConfig(
            modalities=self.modalities, items=items, unit=self.unit, norm=self.norm
        )


class AttackedGoal:
    """The goal of an attack as a function of the chosen items' features.

    ``rows`` below are features of the chosen items [n, F] by modality.
    """

    def __init__(self, model: ModelUnderTest, config: GoalConfig) -> None:
        self.model = model
        self.items = model.items(config)
        self.modalities = model.modalities(config)
        self.clean = {m: model.rows(m, self.items) for m in self.modalities}
        targets = config.targets(model.dataset)
        self.goal: Goal
        if targets is None:
            self.goal = RankingLossGoal(model.triples)
        else:
            self.goal = ExposureGoal(
                model,
                torch.from_numpy(targets).to(model.device),
                config.cutoff,
                config.goal == "promote",
            )

    def by_projected(self, moved_by: Tensor) -> tuple[float, Tensor]:
        """Value, and gradient [n, P] by the projected features, at ``A x + moved_by``."""
        model, linear = self.model, self.model.linear
        assert linear is not None
        users_UD, items_ID = model.clean_factors
        leaf = (model.projected.index_select(0, self.items) + moved_by).requires_grad_()
        with torch.enable_grad():
            rows_nD = linear.combine(leaf, self.items)
        moved_ID = items_ID.index_copy(0, self.items, rows_nD.detach())
        value, _, by_items = self.goal.value_and_gradients(users_UD, moved_ID)
        (gradient,) = torch.autograd.grad(rows_nD, leaf, by_items.index_select(0, self.items))
        return value, gradient

    def by_features(self, rows: Features) -> tuple[float, Features]:
        """Value, and gradient [n, F] of each attacked modality, at the given features."""
        model = self.model
        if model.linear is not None:
            weights = model.linear.projection_weights()
            moved = torch.stack([(rows[m] - self.clean[m]) @ weights[m].T for m in self.modalities])
            value, gradient = self.by_projected(moved.sum(0))
            return value, {m: gradient @ weights[m] for m in self.modalities}
        leaves = {m: x.detach().clone().requires_grad_() for m, x in rows.items()}
        users_UD, items_ID = model.clean_factors
        with torch.enable_grad():
            if model.recommender.row_local:
                others = {m: model.rows(m, self.items) for m in model.recommender.modalities}
                made = model.recommender.item_factors({**others, **leaves}, self.items)
                outputs = [made]
                moved_ID = items_ID.index_copy(0, self.items, made.detach())
            else:
                whole = {
                    m: x.index_copy(0, self.items, leaves[m]) if m in leaves else x
                    for m, x in model.features.items()
                }
                outputs = list(model.recommender(whole))
                users_UD, moved_ID = (factors.detach() for factors in outputs)
        value, by_users, by_items = self.goal.value_and_gradients(users_UD, moved_ID)
        if model.recommender.row_local:
            pulls = [by_items.index_select(0, self.items)]
        else:
            pulls = [by_users, by_items]
        # A graph model's user factors may not depend on features at all.
        pairs = [(out, pull) for out, pull in zip(outputs, pulls, strict=True) if out.requires_grad]
        gradients = torch.autograd.grad(
            [out for out, _ in pairs], list(leaves.values()), [pull for _, pull in pairs]
        )
        return value, dict(zip(leaves, gradients, strict=True))
