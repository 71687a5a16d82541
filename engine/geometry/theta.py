"""Points of weight space: named tensors or one flat vector, and the factors a model has there.

Legend: P parameters (entries of theta), U users, I items, D factor width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.func import functional_call

from engine.data.features import Features
from engine.models import Block, Recommender
from engine.training import Trained

Theta = Mapping[str, Tensor]
"""Parameters, or a direction in their space, by the model's parameter names."""


@dataclass(frozen=True)
class ThetaSpace:
    """The space of some of a model's parameters, laid out one after another in a flat vector."""

    shapes: dict[str, tuple[int, ...]]
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, model: Recommender, block: Block | None = None) -> Self:
        """All parameters of a model, or those of one block."""
        named = {
            name: p
            for name, p in model.named_parameters()
            if block is None or model.block(name) == block
        }
        anyone = next(model.parameters())
        return cls({n: tuple(p.shape) for n, p in named.items()}, anyone.device, anyone.dtype)

    @property
    def size(self) -> int:
        """How many entries a vector has."""
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    def vector(self, theta: Theta) -> Tensor:
        """The flat vector [P] of named tensors."""
        return torch.cat([theta[name].reshape(-1) for name in self.shapes])

    def theta(self, vector_P: Tensor) -> dict[str, Tensor]:
        """Views of a flat vector [P] by name."""
        sizes = [torch.Size(shape).numel() for shape in self.shapes.values()]
        parts = vector_P.split(sizes)
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def normal(self, generator: torch.Generator) -> Tensor:
        """Independent standard normal entries [P], drawn on the CPU so that devices agree."""
        drawn = torch.randn(self.size, generator=generator, dtype=torch.float32)
        return drawn.to(self.device, self.dtype)


def blocks_of(model: Recommender) -> list[Block]:
    """The blocks a model has, in the order of its parameters."""
    return list(dict.fromkeys(model.block(name) for name, _ in model.named_parameters()))


def full_theta(model: Recommender, part: Theta) -> dict[str, Tensor]:
    """A direction over all parameters: ``part`` where given, zero elsewhere."""
    return {n: part[n] if n in part else torch.zeros_like(p) for n, p in model.named_parameters()}


def displace(theta: Theta, direction: Theta, step: float = 1.0) -> dict[str, Tensor]:
    """``theta + step * direction``; a new set of tensors."""
    return {
        name: torch.add(t, direction[name], alpha=step) if name in direction else t
        for name, t in theta.items()
    }


def factors_at(
    trained: Trained, theta: Theta, features: Features | None = None
) -> tuple[Tensor, Tensor]:
    """User factors [U, D] and item factors [I, D] at ``theta``, leaving the model as it is.

    Differentiable in whatever of ``theta`` and ``features`` asks for a gradient.
    """
    inputs = trained.features if features is None else features
    users, items = functional_call(trained.model, dict(theta), (inputs,))
    return users, items


class AffineFactors:
    """How the factors of an affine model move along directions: its Jacobian, by forward passes.

    ``F(theta + d) - F(theta) = F(d) - F(0)`` for affine F; the latter cancels no digits.
    """

    def __init__(self, trained: Trained, features: Features | None = None) -> None:
        self._trained = trained
        self._features = features
        zero = {name: torch.zeros_like(p) for name, p in trained.model.named_parameters()}
        with torch.no_grad():
            offset = factors_at(trained, zero, features)
        # Most maps are linear, and need nothing taken off.
        self._offset = offset if any(bool(part.any()) for part in offset) else None

    def step(self, direction: Theta) -> tuple[Tensor, Tensor]:
        """Steps of the user factors [U, D] and item factors [I, D] along a direction."""
        whole = full_theta(self._trained.model, direction)
        with torch.no_grad():
            users, items = factors_at(self._trained, whole, self._features)
        if self._offset is None:
            return users, items
        return users - self._offset[0], items - self._offset[1]


def theta_of(trained: Trained) -> dict[str, Tensor]:
    """A run's own parameters, detached and shared (not to be written to)."""
    return {name: p.detach() for name, p in trained.model.named_parameters()}
