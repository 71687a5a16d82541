"""Hessian-vector products by double backward over gathered triples: any model, any objective.

Differentiating ``<grad L(theta), v>`` (Pearlmutter, Neural Computation 1994) needs nothing of the
model but that it can be differentiated twice. It is the general path, and the oracle of the
factor-space path in factor_hessian.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.func import functional_call

from engine.geometry.ranking_loss import LossModule
from engine.geometry.theta import ThetaSpace, theta_of
from engine.models import Block
from engine.objectives import Triples
from engine.training import Trained


class HessianOperator(Protocol):
    """A loss at some weights: its value, gradient and Hessian products, counted."""

    space: ThetaSpace
    n_products: int

    def loss(self) -> float:
        """The loss itself."""

    def gradient(self) -> Tensor:
        """Its gradient [P]."""

    def product(self, vector_P: Tensor) -> Tensor:
        """The Hessian times a vector [P]."""


class GatheredHessian:
    """Double backward, ``batch`` triples at a time.

    ``loss`` is ``ranking`` or ``objective`` (see LossModule), the mean over batches weighted by
    their size. ``block`` restricts gradient and Hessian to the parameters of one block.
    """

    def __init__(
        self,
        trained: Trained,
        triples: Triples,
        loss: str = "ranking",
        block: Block | None = None,
        batch: int = 65536,
    ) -> None:
        self.space = ThetaSpace.of(trained.model, block)
        self.n_products = 0
        self._module = LossModule(trained, loss)
        self._fixed = {f"model.{n}": t for n, t in theta_of(trained).items()}
        self._triples = triples
        # A penalty that divides by the batch size must see the batches that training saw.
        self._batch = trained.config.batch_size if loss == "objective" else batch

    def _parts(self) -> Iterator[tuple[list[Tensor], Tensor]]:
        leaves = [
            self._fixed[f"model.{name}"].detach().clone().requires_grad_()
            for name in self.space.shapes
        ]
        theta = self._fixed | {
            f"model.{name}": leaf for name, leaf in zip(self.space.shapes, leaves, strict=True)
        }
        for start in range(0, len(self._triples), self._batch):
            part = self._triples.part(start, start + self._batch)
            with torch.enable_grad():
                loss = functional_call(self._module, theta, (part,))
            yield leaves, loss * (len(part) / len(self._triples))

    def loss(self) -> float:
        return sum(float(loss.detach()) for _, loss in self._parts())

    def gradient(self) -> Tensor:
        total = torch.zeros(self.space.size, dtype=self.space.dtype, device=self.space.device)
        for leaves, loss in self._parts():
            if loss.requires_grad:  # not where a block feeds only terms that this loss leaves out
                total += _flat(torch.autograd.grad(loss, leaves, allow_unused=True), leaves)
        return total

    def product(self, vector_P: Tensor) -> Tensor:
        self.n_products += 1
        parts = list(self.space.theta(vector_P).values())
        total = torch.zeros_like(vector_P)
        for leaves, loss in self._parts():
            if not loss.requires_grad:
                continue
            with torch.enable_grad():
                grads = torch.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
                dot = sum(
                    ((g * p).sum() for g, p in zip(grads, parts, strict=True) if g is not None),
                    start=loss.new_zeros(()),
                )
            if dot.requires_grad:
                total += _flat(torch.autograd.grad(dot, leaves, allow_unused=True), leaves)
        return total


def _flat(gradients: tuple[Tensor | None, ...], leaves: list[Tensor]) -> Tensor:
    return torch.cat(
        [
            (torch.zeros_like(leaf) if g is None else g).reshape(-1)
            for g, leaf in zip(gradients, leaves, strict=True)
        ]
    )
