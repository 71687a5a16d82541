"""AMR: also rank well with features perturbed against the model (arXiv 1809.07062, section 3).

``Delta_i = eps * G_i / ||G_i||`` with ``G_i = dL/dx_i`` summed over the batch and held constant;
a row with zero gradient gets Delta 0. Positive and negative items are perturbed alike.

Where features enter through one linear map (LinearProjection), everything happens at the width of
the projection: with ``g_i = dL/d(A x_i)``, ``G_i = A^T g_i``, so ``||G_i||^2 = g_i^T (A A^T) g_i``
and ``A Delta_i = eps * (A A^T) g_i / ||G_i||``. That is exact, not an approximation.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.models import LinearProjection, Recommender
from engine.objectives.batch import Step


class AMRConfig(Config):
    """Adversarial training on features: one gradient step, or its random control."""

    name: Literal["amr"] = "amr"
    epsilon: float = Field(default=0.3, ge=0)
    """Length of each item's perturbation in L2, in the unit named by ``unit``; AMR's released code
    uses 0.1 absolute with features divided by their global largest absolute value."""
    unit: Literal["row_norm", "absolute"] = "row_norm"
    """``row_norm``: epsilon times the item's own feature length; ``absolute``: the unit of the
    features as scaled."""
    weight: float = Field(default=1.0, ge=0)
    """Factor lambda of the adversarial loss (1 in the paper and the released code)."""
    direction: Literal["gradient", "random"] = "gradient"
    """``gradient``: against the model; ``random``: the control of equal length."""
    modalities: tuple[str, ...] = ()
    """Which features are perturbed, all that the model reads where empty; those that it does not
    read are left out."""
    warm_start_epochs: int = Field(default=150, ge=0)
    """Most epochs of plain training before this term counts, ended early by ``patience``. Its best
    validation epoch is where the term starts, with a fresh optimiser; 0 for none."""

    def build(self, model: Recommender, features: Features) -> FeatureAdversary:
        return FeatureAdversary(self, model, features)


def perturbed_modalities(named: tuple[str, ...], model: Recommender) -> list[str]:
    """The named modalities that the model reads, all where none is named.

    Raises ConfigError where that leaves none.
    """
    chosen = [m for m in model.modalities if m in named or not named]
    if not chosen:
        reads = ", ".join(model.modalities) or "no features"
        raise ConfigError(
            f"objective.adversary.modalities is {', '.join(named) or 'all'}, but "
            f"{type(model).__name__} reads {reads}; there is nothing to perturb. Choose a model "
            "with features, or an adversary that perturbs embeddings (apr)."
        )
    return chosen


def lengths_of(
    features: Features, modalities: list[str], epsilon: float, unit: str
) -> dict[str, Tensor]:
    """Each row's perturbation length [n_items] by modality, in the unit of the features."""
    return {
        m: epsilon * torch.linalg.vector_norm(features[m].float(), dim=1)
        if unit == "row_norm"
        else torch.full((len(features[m]),), epsilon, device=features[m].device)
        for m in modalities
    }


class FeatureAdversary:
    """The adversarial term of one model on its features."""

    def __init__(self, config: AMRConfig, model: Recommender, features: Features) -> None:
        self.modalities = perturbed_modalities(config.modalities, model)
        self.config = config
        self.passes = 2 if config.direction == "gradient" else 1
        self.lengths_I = lengths_of(features, self.modalities, config.epsilon, config.unit)

    def term(self, step: Step) -> Tensor:
        """``lambda * L(theta; x + Delta)`` of one batch (a scalar), by the cheapest exact route."""
        if step.projected is not None and self.config.direction == "gradient":
            assert isinstance(step.model, LinearProjection)
            return self.projected_term(step.model, step, step.projected)
        return self.full_width_term(step)

    def full_width_term(self, step: Step) -> Tensor:
        """The term at the full width of the features, for any model."""
        deltas = self.perturbation(step)
        moved = {m: x + deltas[m] if m in deltas else x for m, x in step.batch.features.items()}
        return self.config.weight * step.value_of(moved)

    def perturbation(self, step: Step) -> Features:
        """Delta of each perturbed modality, in the shape of the batch's features, detached."""
        model, batch = step.model, step.batch
        if self.config.direction == "random":
            directions = {
                m: torch.randn(batch.features[m].shape, generator=step.generator).to(
                    batch.features[m]
                )
                for m in self.modalities
            }
        else:
            leaves = {
                m: x.detach().requires_grad_(m in self.modalities)
                for m, x in batch.features.items()
            }
            value = step.value_of(leaves)
            wanted = [leaves[m] for m in self.modalities]
            directions = dict(zip(self.modalities, torch.autograd.grad(value, wanted), strict=True))
        rows = batch.items if model.row_local else slice(None)
        return {m: of_length(d, self.lengths_I[m][rows]) for m, d in directions.items()}

    def projected_term(self, model: LinearProjection, step: Step, projected: Tensor) -> Tensor:
        """The same term for a linear projection, at its width: ``projected`` is ``A x`` [N, P]."""
        batch = step.batch
        weights = model.projection_weights()
        moved = projected
        (gradient,) = torch.autograd.grad(step.clean, projected, retain_graph=True)
        for m in self.modalities:
            weight = weights[m]
            cross = weight @ weight.detach().mT  # its gradient is that of A in A Delta
            lengths = self.lengths_I[m].to(projected.dtype)[batch.items]
            turned = gradient @ cross.mT
            squared = (turned.detach() * gradient).sum(dim=-1)
            moved = moved + (lengths * inverse_root(squared))[..., None] * turned
        items = model.combine(moved, batch.items)
        return self.config.weight * step.loss(batch.margins(step.users, items))


def inverse_root(squared: Tensor) -> Tensor:
    """``squared ** -0.5``, and 0 where nothing was there to normalise."""
    tiny = torch.finfo(squared.dtype).tiny
    return torch.where(squared > tiny, squared.clamp_min(tiny).rsqrt(), 0.0)
