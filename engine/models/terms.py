"""Loss terms that a model declares beside, or instead of, the ranking loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engine.data.features import Features


@dataclass(frozen=True)
class TermInputs:
    """One batch of B triples with N distinct items, as a model's loss terms see it."""

    users: Tensor
    """Ids of the triples' users [B]."""
    items: Tensor
    """Ids of the distinct items [N]."""
    positive_rows: Tensor
    """Each triple's chosen item [B], as a row of ``items``."""
    negative_rows: Tensor
    """Each triple's drawn item [B], as a row of ``items``."""
    features: Features
    """As ``batch_factors`` takes them, perturbed where an adversary is at work."""
    user_factors: Tensor
    """Factors of the triples' users [B, D], perturbed where an adversary is at work."""
    item_factors: Tensor
    """Factors of the distinct items [N, D], likewise."""
    ranking: Callable[[Tensor], Tensor]
    """The objective's ranking loss: from margins [B] to a scalar."""
    generator: torch.Generator
    """Draws whatever the terms draw (dropout)."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """What the model put beside its factors, of the same forward pass."""


class Unseen(torch.autograd.Function):
    """Passes factors on, and gives features that they do not depend on their true gradient: zero.

    Without it autograd knows no path from such features, and an attack would fail instead of
    finding that it can do nothing.
    """

    @staticmethod
    def forward(ctx: Any, factors: Tensor, *features: Tensor) -> Tensor:
        ctx.save_for_backward(*features)
        return factors.view_as(factors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        features = ctx.saved_tensors
        return gradients[0], *(torch.zeros_like(x) for x in features)


def without_gradient(factors: Tensor, features: Features) -> Tensor:
    """The factors, with zero gradients for whichever features ask for one."""
    asking = [x for x in features.values() if x.requires_grad]
    return Unseen.apply(factors, *asking) if asking else factors
