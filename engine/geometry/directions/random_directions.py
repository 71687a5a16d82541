"""Directions of a slice: how they are drawn and how long they are.

Normalisation per filter is section 4 of arXiv 1712.09913: each row of the direction gets the norm
of the same row of the weights, so that flatness does not depend on how layers are scaled. A row of
an embedding table is a filter, and so is an output row of a projection.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from engine.foundation.seeding import torch_generator
from engine.geometry.theta import Theta
from engine.models import Recommender

Normalisation = Literal["filter", "layer", "none"]


def random_direction(
    model: Recommender, seed: int, index: int, include_biases: bool = False
) -> dict[str, Tensor]:
    """Independent standard normal entries; equal for equal seeds and shapes, on any device.

    Biases and other 1-D parameters get zeros unless they are included.
    """
    direction: dict[str, Tensor] = {}
    for name, p in model.named_parameters():
        if p.ndim < 2 and not include_biases:
            direction[name] = torch.zeros_like(p)
            continue
        draws = torch_generator(seed, f"direction {name}", index)
        direction[name] = torch.randn(p.shape, generator=draws).to(p)
    return direction


def normalise(direction: Theta, theta: Theta, normalisation: Normalisation) -> dict[str, Tensor]:
    """A direction scaled to the weights: per filter, per layer (a whole tensor), or not at all.

    Filters are the rows of tensors with two or more axes; a 1-D parameter is scaled as a whole.
    """
    if normalisation == "none":
        return dict(direction)
    scaled: dict[str, Tensor] = {}
    for name, d in direction.items():
        by_row = normalisation == "filter" and d.ndim > 1
        axes = tuple(range(1, d.ndim)) if by_row else tuple(range(d.ndim))
        length = torch.linalg.vector_norm(d, dim=axes, keepdim=True)
        wanted = torch.linalg.vector_norm(theta[name], dim=axes, keepdim=True)
        scaled[name] = d * (wanted / torch.where(length > 0, length, 1.0))
    return scaled


def length_of(direction: Theta) -> float:
    """L2 norm over all tensors."""
    return float(
        torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(d.double()) for d in direction.values()])
        )
    )


def cosine(first: Theta, second: Theta) -> float:
    """Cosine of the angle between two directions; 0 where one is zero."""
    dot = sum(float((first[n].double() * second[n].double()).sum()) for n in first)
    lengths = length_of(first) * length_of(second)
    return dot / lengths if lengths > 0 else 0.0
