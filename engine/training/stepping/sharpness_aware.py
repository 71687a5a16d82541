"""SAM, ASAM and the explicit gradient-norm penalty: three ways to look around before stepping."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.foundation.config import Config
from engine.training.stepping.optimisers import GuardedOptimiser
from engine.training.stepping.steppers import Closure, Stepper


class SAMConfig(Config):
    """Sharpness-aware minimisation (arXiv 2010.01412): the gradient at the worst nearby point."""

    name: Literal["sam"] = "sam"
    rho: float = Field(default=0.05, gt=0)
    """Radius of the neighbourhood, L2 over all weights (0.05 in the paper)."""

    def build(self, optimiser: GuardedOptimiser) -> NeighbourGradient:
        return NeighbourGradient(optimiser, self.rho)


class ASAMConfig(Config):
    """Adaptive SAM (arXiv 2102.11600): the neighbourhood scales with each weight."""

    name: Literal["asam"] = "asam"
    rho: float = Field(default=0.5, gt=0)
    """Radius in units of the weights' own size (0.5 in the paper, ten times SAM's)."""
    eta: float = Field(default=0.01, ge=0)
    """Added to each |weight|, so that a zero weight can move (0.01 in the paper)."""

    def build(self, optimiser: GuardedOptimiser) -> NeighbourGradient:
        return NeighbourGradient(optimiser, self.rho, eta=self.eta)


class GradientNormConfig(Config):
    """Penalise the gradient's norm itself (arXiv 2202.03599): Mirror Gradient's natural control.

    Minimises ``L + weight * ||grad L||``; the Hessian product is a difference of two gradients at
    distance ``radius``, exact on a quadratic.
    """

    name: Literal["gradient-norm"] = "gradient-norm"
    weight: float = Field(default=0.08, ge=0)
    """Factor lambda of the gradient's norm (0.08, alpha 0.8 times r, in the released recipe for
    CIFAR)."""
    radius: float = Field(default=0.1, gt=0)
    """Distance r of the second gradient, L2 over all weights (0.1 in that recipe)."""

    def build(self, optimiser: GuardedOptimiser) -> NeighbourGradient:
        return NeighbourGradient(optimiser, self.radius, share=self.weight / self.radius)


class NeighbourGradient(Stepper):
    """Steps with ``(1 - share) * g(theta) + share * g(theta + e)``, e of length rho uphill.

    ``share`` 1 is SAM; ``weight / rho`` is the gradient-norm penalty, since
    ``g(theta + rho g/||g||) - g(theta) ~ rho H g/||g||``. With ``eta``, e is ASAM's:
    ``e = rho T^2 g / ||T g||`` with ``T = |theta| + eta``. Weights are put back exactly.
    """

    def __init__(
        self,
        optimiser: GuardedOptimiser,
        rho: float,
        eta: float | None = None,
        share: float = 1.0,
    ) -> None:
        super().__init__(optimiser)
        self.rho = rho
        self.eta = eta
        self.share = share

    def step(self, closure: Closure) -> Tensor:
        loss = self.gradient(closure)
        self.optimiser.apply()
        return loss

    def gradient(self, closure: Closure) -> Tensor:
        """Put this gradient in place, weights unmoved; returns the loss at the weights."""
        loss = closure()
        here = [p for p in self.optimiser.parameters if p.grad is not None]
        gradients = [p.grad for p in here if p.grad is not None]
        with torch.no_grad():
            before = [p.detach().clone() for p in here]
            if self.eta is None:
                scale = self.rho / self.optimiser.norm(gradients).clamp_min(1e-12)
                moves = torch._foreach_mul(gradients, scale)
            else:
                sizes = [p.abs() + self.eta for p in here]
                scaled = [t * g for t, g in zip(sizes, gradients, strict=True)]
                scale = self.rho / self.optimiser.norm(scaled).clamp_min(1e-12)
                moves = torch._foreach_mul(
                    [t * s for t, s in zip(sizes, scaled, strict=True)], scale
                )
            scaled_gradients = (
                torch._foreach_mul(gradients, 1.0 - self.share) if self.share != 1.0 else None
            )
            torch._foreach_add_(here, moves)
        try:
            closure()
        finally:
            with torch.no_grad():
                for parameter, value in zip(here, before, strict=True):
                    parameter.copy_(value)
        if scaled_gradients is not None:
            with torch.no_grad():
                for parameter, gradient in zip(here, scaled_gradients, strict=True):
                    assert parameter.grad is not None
                    parameter.grad.mul_(self.share).add_(gradient)
        return loss

    def gradients_ahead(self, epoch_starts: bool = False) -> int:
        del epoch_starts
        return 2
