"""Mirror Gradient: on some batches, descend and then step back up a little (arXiv 2402.11262)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from engine.foundation.config import Config
from engine.training.stepping.optimisers import GuardedOptimiser
from engine.training.stepping.sharpness_aware import (
    ASAMConfig,
    GradientNormConfig,
    NeighbourGradient,
    SAMConfig,
)
from engine.training.stepping.steppers import Closure, Stepper


class MirrorGradientConfig(Config):
    """Mirror Gradient (arXiv 2402.11262, Algorithm 1): now and then step back up a little."""

    name: Literal["mirror-gradient"] = "mirror-gradient"
    alpha1: float = Field(default=1.0, gt=0)
    """Factor of the descent half-step (1.0 in the paper's grid)."""
    alpha2: float = Field(default=0.2, ge=0)
    """Factor of the ascent half-step; below alpha1 (grid 0.1, 0.2, 0.3)."""
    beta: int = Field(default=3, ge=1)
    """Every beta-th batch mirrors (3 in the paper)."""
    counter: Literal["epoch", "global"] = "epoch"
    """Batches counted afresh each epoch (released code) or over the whole run (the paper)."""
    clip: Literal["both", "second"] = "both"
    """Which half of a mirror step a clip norm acts on: both, or as in the released code the second
    only. Batches that do not mirror are clipped either way, as there."""
    around: (
        Annotated[SAMConfig | ASAMConfig | GradientNormConfig, Field(discriminator="name")] | None
    ) = None
    """Whose gradient every step takes, e.g. sam's for Mirror Gradient with SAM; None: the batch's
    own. It doubles the gradient passes."""

    @model_validator(mode="after")
    def _ascent_is_smaller(self) -> Self:
        if self.alpha2 >= self.alpha1:
            raise ValueError(
                f"alpha2 is {self.alpha2} and alpha1 {self.alpha1}; alpha2 must be smaller"
            )
        return self

    def build(self, optimiser: GuardedOptimiser) -> Stepper:
        around = None if self.around is None else self.around.build(optimiser)
        return MirrorGradient(
            optimiser, self.alpha1, self.alpha2, self.beta, self.counter, self.clip, around
        )


class MirrorGradient(Stepper):
    """``theta' = theta - alpha1 step(g(theta))``, then ``theta = theta' + alpha2 step(g(theta'))``.

    Every beta-th batch takes both half-steps on the same triples, the others one plain step. Under
    SGD this is Algorithm 1. Under Adam it is the released code: two optimiser steps, on
    ``alpha1 * loss`` and ``-alpha2 * loss``.
    """

    def __init__(
        self,
        optimiser: GuardedOptimiser,
        alpha1: float = 1.0,
        alpha2: float = 0.2,
        beta: int = 3,
        counter: Literal["epoch", "global"] = "epoch",
        clip: Literal["both", "second"] = "both",
        around: NeighbourGradient | None = None,
    ) -> None:
        super().__init__(optimiser)
        self.alpha1 = alpha1
        self.alpha2 = alpha2
        self.beta = beta
        self.counter = counter
        self.clip = clip
        self.around = around
        self.batches = 0
        self.ascent: dict[str, float] = {}
        """What the first mirror step of this epoch's second half did; {} before it."""

    def start_epoch(self) -> None:
        self.ascent = {}
        if self.counter == "epoch":
            self.batches = 0

    def step(self, closure: Closure) -> Tensor:
        mirrors = self._mirrors(self.batches)
        self.batches += 1
        if self.around is not None:
            closure = partial(self.around.gradient, closure)
        loss = closure()
        if not mirrors:
            self.optimiser.apply()
            return loss
        self.optimiser.apply(self.alpha1, clip=self.clip == "both")
        closure()
        if self.ascent:
            self.optimiser.apply(-self.alpha2)
        else:
            self._apply_and_measure()
        return loss

    def _mirrors(self, batches: int) -> bool:
        """Whether the step after so many mirrors.

        The released code starts at index 0, so batch 0 mirrors; the paper counts t from 1.
        """
        index = batches if self.counter == "epoch" else batches + 1
        return index % self.beta == 0 and self.alpha2 > 0

    def gradients_ahead(self, epoch_starts: bool = False) -> int:
        afresh = epoch_starts and self.counter == "epoch"
        n_steps = 2 if self._mirrors(0 if afresh else self.batches) else 1
        return n_steps * (1 if self.around is None else self.around.gradients_ahead())

    def _apply_and_measure(self) -> None:
        """The ascent half-step, and how far uphill it really went (once an epoch: it is cheap).

        Under SGD the cosine with the gradient is 1. Under Adam, whose momentum and scale carry on
        from the descent, it is often negative: then the second half descended further.
        """
        parameters = [p for p in self.optimiser.parameters if p.grad is not None]
        before = [p.detach().clone() for p in parameters]
        uphill = [p.grad.detach().clone() for p in parameters if p.grad is not None]
        self.optimiser.apply(-self.alpha2)
        dot = lengths = slopes = torch.zeros((), dtype=torch.float64)
        agree = moved = 0
        for parameter, start, gradient in zip(parameters, before, uphill, strict=True):
            move = parameter.detach() - start
            products = move * gradient
            dot = dot + products.sum().double().cpu()
            lengths = lengths + move.square().sum().double().cpu()
            slopes = slopes + gradient.square().sum().double().cpu()
            agree += int((products > 0).sum())
            moved += int((products != 0).sum())
        norm = float((lengths * slopes).sqrt())
        self.ascent = {
            "ascent_cosine": float(dot) / norm if norm > 0 else 0.0,
            "share_uphill": agree / moved if moved else 0.0,
        }

    def diagnostics(self) -> dict[str, float]:
        """Of the epoch's first mirror step: the cosine of the second half with the gradient, and
        the share of coordinates that it moved uphill."""
        return self.ascent

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches = int(state["batches"])
