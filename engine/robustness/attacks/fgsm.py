"""The fast gradient (sign) method on features: one step (Goodfellow et al., arXiv 1412.6572)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from engine.data.features import of_length
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import Ray
from engine.robustness.attacks.attack import AttackConfig, AttackedGoal
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_perturbation import ProjectedPath, ProjectedRay


class FGSMConfig(AttackConfig):
    """One step along the gradient, all the way to the boundary of the ball."""

    title: ClassVar[str] = "FGSM"

    name: Literal["fgsm"] = "fgsm"

    def path(self, table: FeatureTable, seed: int, draw: int) -> Ray:
        """``x_i + s l_i G_i / ||G_i||`` (L2, AMR eq. 10) or ``x_i + s l_i sign(G_i)`` (L-infinity).

        ``G_i`` is the goal's gradient at the clean features, summed over all frozen triples; a row
        without gradient stays as it is. Each modality has a ball of its own.
        """
        model = ModelUnderTest.of(table)
        del seed, draw  # one step from the clean features: nothing is drawn
        attacked = AttackedGoal(model, self)
        _, gradients = attacked.by_features(attacked.clean)
        directions = {
            m: step(g, model.lengths(m, attacked.items, self.norm, self.unit), self.norm)
            for m, g in gradients.items()
        }
        return Ray(attacked.items, attacked.clean, directions)

    def projected(self, model: ModelUnderTest, seed: int, draw: int) -> ProjectedPath | None:
        """L2 only: with ``g = dL/d(A x)``, ``||G_i||^2 = g^T K g`` and ``A G_i = K g`` for the
        Gram matrix ``K = A A^T``; exact, without the feature width."""
        del seed, draw
        if self.norm != "l2":
            return None
        attacked = AttackedGoal(model, self)
        _, gradient = attacked.by_projected(torch.zeros_like(model.projected[attacked.items]))
        moved = torch.zeros_like(gradient)
        for m in attacked.modalities:
            lengths = model.lengths(m, attacked.items, self.norm, self.unit)
            moved += projected_step(gradient, model.grams[m], lengths) @ model.grams[m]
        return ProjectedRay(attacked.items, moved)


def step(gradient: Tensor, lengths: Tensor, norm: str) -> Tensor:
    """The steepest step [n, F] of the given lengths [n] in a norm; zero rows stay zero."""
    if norm == "l2":
        return of_length(gradient, lengths)
    return torch.sign(gradient) * lengths[:, None]


def projected_step(gradient: Tensor, gram: Tensor, lengths: Tensor) -> Tensor:
    """c [n, P] with ``A^T c`` the L2 step along ``A^T gradient``; zero rows stay zero.

    Rows are first divided by their largest entry, so that tiny gradients keep their direction.
    """
    largest = gradient.abs().amax(dim=1, keepdim=True)
    safe = gradient / torch.where(largest > 0, largest, 1.0)
    norms = ((safe @ gram) * safe).sum(dim=1, keepdim=True).clamp_min(0).sqrt()
    return safe / torch.where(norms > 0, norms, 1.0) * lengths[:, None]
