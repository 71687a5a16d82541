"""PGD adversarial training: several projected gradient steps on features (arXiv 1706.06083).

The L2 form never leaves the span of A's rows once it starts there, so where features enter through
one linear map it is carried out at the projection's width: a perturbation of row i is ``A^T c_i``
with ``||A^T c||^2 = c^T (A A^T) c``. That is exact. L-infinity works at the full width.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.foundation.config import Config
from engine.models import LinearProjection, Recommender
from engine.objectives.amr import inverse_root, lengths_of, perturbed_modalities
from engine.objectives.batch import Step


class PGDConfig(Config):
    """Adversarial training on features by projected gradient ascent, k steps."""

    name: Literal["pgd"] = "pgd"
    norm: Literal["l2", "linf"] = "l2"
    """The ball: L2 length of a row's perturbation, or its largest entry."""
    epsilon: float = Field(default=0.3, ge=0)
    """Radius of the ball in the unit named by ``unit``."""
    unit: Literal["row_norm", "absolute"] = "row_norm"
    """``row_norm``: epsilon times the row's L2 length (for linf, of its root mean square);
    ``absolute``: the unit of the features as scaled."""
    steps: int = Field(default=3, ge=1, le=50)
    """Gradient steps (k); each costs one gradient pass."""
    step_size: float = Field(default=0.5, gt=0)
    """Length of one step as a share of epsilon."""
    weight: float = Field(default=1.0, ge=0)
    """Factor of the adversarial loss, beside the clean one."""
    modalities: tuple[str, ...] = ()
    """Which features are perturbed, all that the model reads where empty; those that it does not
    read are left out."""
    warm_start_epochs: int = Field(default=150, ge=0)
    """Most epochs of plain training before this term counts, ended early by ``patience``. Its best
    validation epoch is where the term starts, with a fresh optimiser; 0 for none."""

    def build(self, model: Recommender, features: Features) -> PGDAdversary:
        return PGDAdversary(self, model, features)


class PGDAdversary:
    """The PGD term of one model; starts from the clean features."""

    def __init__(self, config: PGDConfig, model: Recommender, features: Features) -> None:
        self.config = config
        self.modalities = perturbed_modalities(config.modalities, model)
        self.passes = config.steps + 1
        self.lengths_I = lengths_of(features, self.modalities, config.epsilon, config.unit)
        if config.norm == "linf" and config.unit == "row_norm":
            self.lengths_I = {m: r / features[m].shape[1] ** 0.5 for m, r in self.lengths_I.items()}

    def term(self, step: Step) -> Tensor:
        """``weight * L(theta; x + Delta)`` of one batch (a scalar), by the cheapest exact route."""
        if step.projected is not None and self.config.norm == "l2":
            return self.projected_term(step, step.projected)
        return self.full_width_term(step)

    def full_width_term(self, step: Step) -> Tensor:
        """The term at the full width of the features, for any model and norm."""
        deltas = self.perturbation(step)
        batch = step.batch
        moved = {m: x + deltas[m] if m in deltas else x for m, x in batch.features.items()}
        return self.config.weight * step.value_of(moved)

    def perturbation(self, step: Step) -> Features:
        """Delta of each perturbed modality after k steps, detached; inside its ball."""
        batch, model = step.batch, step.model
        rows = batch.items if model.row_local else slice(None)
        radii = {m: self.lengths_I[m][rows].to(batch.features[m].dtype) for m in self.modalities}
        deltas = {m: torch.zeros_like(batch.features[m]) for m in self.modalities}
        for _ in range(self.config.steps):
            leaves = {m: delta.requires_grad_() for m, delta in deltas.items()}
            moved = {m: x + leaves[m] if m in leaves else x for m, x in batch.features.items()}
            gradients = torch.autograd.grad(step.value_of(moved), list(leaves.values()))
            for m, gradient in zip(leaves, gradients, strict=True):
                deltas[m] = self._ascend(deltas[m].detach(), gradient, radii[m])
        return deltas

    def _ascend(self, delta: Tensor, gradient: Tensor, radii: Tensor) -> Tensor:
        if self.config.norm == "linf":
            bound = radii[:, None]
            moved = delta + self.config.step_size * bound * gradient.sign()
            return torch.minimum(torch.maximum(moved, -bound), bound)
        moved = delta + of_length(gradient, self.config.step_size * radii)
        norms = torch.linalg.vector_norm(moved, dim=1)
        shrink = torch.where(norms > radii, radii / norms.clamp_min(1e-30), 1.0)
        return moved * shrink[:, None]

    def projected_term(self, step: Step, projected: Tensor) -> Tensor:
        """The L2 term for a linear projection, at its width: coefficients c with Delta = A^T c."""
        model, batch = step.model, step.batch
        assert isinstance(model, LinearProjection)
        weights = {m: model.projection_weights()[m] for m in self.modalities}
        grams = {m: (w @ w.mT).detach() for m, w in weights.items()}
        radii = {m: self.lengths_I[m].to(projected.dtype)[batch.items] for m in self.modalities}
        coefficients = {m: torch.zeros_like(projected.detach()) for m in self.modalities}
        users, base = step.users.detach(), projected.detach()
        for _ in range(self.config.steps):
            moved = base
            for m, c in coefficients.items():
                moved = moved + c @ grams[m]
            moved = moved.requires_grad_()
            items = model.combine(moved, batch.items)
            (gradient,) = torch.autograd.grad(step.loss(batch.margins(users, items)), moved)
            for m in self.modalities:
                squared = ((gradient @ grams[m]) * gradient).sum(dim=-1)
                length = self.config.step_size * radii[m] * inverse_root(squared)
                c = coefficients[m] + length[..., None] * gradient
                norms = ((c @ grams[m]) * c).sum(dim=-1).clamp_min(0).sqrt()
                shrink = torch.where(norms > radii[m], radii[m] / norms.clamp_min(1e-30), 1.0)
                coefficients[m] = c * shrink[..., None]
        moved = projected
        for m, weight in weights.items():
            moved = moved + coefficients[m] @ (weight @ weight.detach().mT).mT
        items = model.combine(moved, batch.items)
        return self.config.weight * step.loss(batch.margins(step.users, items))
