"""The goal of an attack as a function of the attacked features."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data.features import Features
from engine.data.perturbations.units import FeatureSelection
from engine.robustness.attacks.goals import Goal
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest


class AttackedGoal:
    """The goal of an attack as a function of the chosen items' features.

    ``rows`` below are features of the chosen items [n, F] by modality.
    """

    def __init__(self, model: ModelUnderTest, selection: FeatureSelection, goal: Goal) -> None:
        self.model = model
        self.items = model.items(selection)
        self.modalities = model.modalities(selection)
        self.clean = {m: model.rows(m, self.items) for m in self.modalities}
        self.goal = goal

    def by_projected(self, moved_by: Tensor) -> tuple[float, Tensor]:
        """Value, and gradient [n, P] by the projected features, at ``A x + moved_by``."""
        model, linear = self.model, self.model.linear
        assert linear is not None
        users_UD, items_ID = model.clean_factors
        leaf = (model.projected_features.index_select(0, self.items) + moved_by).requires_grad_()
        with torch.enable_grad():
            rows_nD = linear.combine(leaf, self.items)
        moved_ID = items_ID.index_copy(0, self.items, rows_nD.detach())
        value, _, by_items = self.goal.value_and_gradients(users_UD, moved_ID, of_users=False)
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
        is_local = model.recommender.row_local
        leaves = {m: x.detach().clone().requires_grad_() for m, x in rows.items()}
        users_UD, items_ID = model.clean_factors
        with torch.enable_grad():
            if is_local:
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
        value, by_users, by_items = self.goal.value_and_gradients(
            users_UD, moved_ID, of_users=not is_local
        )
        pulls = [by_items.index_select(0, self.items)] if by_users is None else [by_users, by_items]
        # A graph model's user factors may not depend on features at all.
        pairs = [(out, pull) for out, pull in zip(outputs, pulls, strict=True) if out.requires_grad]
        gradients = torch.autograd.grad(
            [out for out, _ in pairs], list(leaves.values()), [pull for _, pull in pairs]
        )
        return value, dict(zip(leaves, gradients, strict=True))
