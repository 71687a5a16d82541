"""Base optimisers, and the one door through which weights move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.foundation.config import Config
from engine.models import Recommender


class NonFiniteError(ArithmeticError):
    """A loss or gradient was NaN or infinite; no weight was moved by it."""


class AdamConfig(Config):
    """Adam, the choice of MMRec and Mirror Gradient's released code."""

    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size (1e-3 in Mirror Gradient's released code)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 added to gradients, a rate per step."""

    def build(self, model: Recommender) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            model.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            fused=_can_fuse(model),
        )


class AdamWConfig(Config):
    """Adam with decoupled weight decay (arXiv 1711.05101): weights shrink whatever the gradient."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size (1e-3 in Mirror Gradient's released code, which takes Adam)."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Share of each weight, times the step size, taken off at every step (0.01 in torch)."""

    def build(self, model: Recommender) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            model.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            fused=_can_fuse(model),
        )


class SGDConfig(Config):
    """Stochastic gradient descent; with it Mirror Gradient is exactly the paper's Algorithm 1."""

    name: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=1.0, gt=0)
    """Step size. A loss that is a mean over 2,048 triples needs rates near 1."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Heavy-ball momentum; 0 for Algorithm 1."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 added to gradients, a rate per step."""

    def build(self, model: Recommender) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            model.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=_can_fuse(model),
        )


class AdagradConfig(Config):
    """Adagrad with a rate for each table, as in AMR's released code."""

    name: Literal["adagrad"] = "adagrad"
    users: float = Field(default=0.01, gt=0)
    """Step size of the user table (0.01 in AMR's released code)."""
    items: float = Field(default=1e-4, gt=0)
    """Step size of the item table (1e-4 in AMR's released code)."""
    projection: float = Field(default=1e-3, gt=0)
    """Step size of the feature projection and of every other parameter that is in neither table
    (1e-3 in AMR's released code)."""
    initial_accumulator: float = Field(default=0.1, ge=0)
    """What the sum of squared gradients starts from (TensorFlow's default, 0.1)."""

    def build(self, model: Recommender) -> torch.optim.Optimizer:
        rates = {"users": self.users, "items": self.items, "projection": self.projection}
        groups: dict[str, list[Tensor]] = {block: [] for block in rates}
        for name, parameter in model.named_parameters():
            block = model.block(name)
            groups[block if block in rates else "projection"].append(parameter)
        return torch.optim.Adagrad(
            [{"params": groups[b], "lr": rate} for b, rate in rates.items() if groups[b]],
            initial_accumulator_value=self.initial_accumulator,
        )


class RMSpropConfig(Config):
    """Adam without momentum: each gradient over a running root mean square of its own (Tieleman
    and Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size (1e-3, as for Adam)."""
    smoothing: float = Field(default=0.99, gt=0, lt=1)
    """Share of the running mean square that stays at each step (0.99 in torch)."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Heavy-ball momentum."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 added to gradients, a rate per step."""

    def build(self, model: Recommender) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            model.parameters(),
            lr=self.learning_rate,
            alpha=self.smoothing,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )


AnyOptimiserConfig = Annotated[
    AdamConfig | AdamWConfig | SGDConfig | AdagradConfig | RMSpropConfig,
    Field(discriminator="name"),
]


def _can_fuse(model: Recommender) -> bool:
    return next(model.parameters()).device.type in ("cpu", "cuda")


class GuardedOptimiser:
    """Moves weights by a torch optimiser, but never by a non-finite gradient.

    Steppers call ``apply`` after each backward pass; it scales, checks, clips and steps.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, clip_norm: float | None = None) -> None:
        self.optimiser = optimiser
        self.clip_norm = clip_norm
        self.updates = 0

    @property
    def parameters(self) -> list[Tensor]:
        """All parameters it moves."""
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    def gradients(self) -> list[Tensor]:
        """The gradients now in place, of the parameters that have one."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def apply(self, scale: float = 1.0, clip: bool = True) -> None:
        """One update with the gradients times ``scale``.

        Raises NonFiniteError before any weight moves.
        """
        gradients = self.gradients()
        norm = self.norm(gradients)
        factor = scale
        if clip and self.clip_norm is not None:
            factor *= float((self.clip_norm / (norm * abs(scale)).clamp_min(1e-12)).clamp(max=1.0))
        if factor != 1.0:
            torch._foreach_mul_(gradients, factor)
        self.optimiser.step()
        self.updates += 1

    def norm(self, gradients: list[Tensor]) -> Tensor:
        """The L2 norm of all gradients together (a scalar); raises NonFiniteError."""
        norm = global_norm(gradients)
        if not torch.isfinite(norm):
            raise NonFiniteError("a gradient is NaN or infinite")
        return norm


def global_norm(tensors: Iterable[Tensor]) -> Tensor:
    """The L2 norm of all entries of all tensors together (a scalar)."""
    norms = torch._foreach_norm(list(tensors))
    return torch.linalg.vector_norm(torch.stack(norms))
