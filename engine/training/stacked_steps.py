"""Moving stacked weights [S, ...]: what steppers take over all weights is taken of each seed."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.training.stepping.optimisers import GuardedOptimiser, NonFiniteError
from engine.training.stepping.steppers import MirrorGradient


class StackedOptimiser(GuardedOptimiser):
    """Moves stacked weights; norms, clipping and the guard against non-finite values are a seed's.

    A seed that fails keeps the weights it had then in ``last_weights``; its rows get no gradient
    any more and mean nothing until it is taken out of the stack.
    """

    def __init__(
        self, optimiser: torch.optim.Optimizer, clip_norm: float | None, n_seeds: int
    ) -> None:
        super().__init__(optimiser, clip_norm)
        self.n_seeds = n_seeds
        self.reasons: dict[int, str] = {}
        """Why a seed, by its place in the stack, failed."""
        self.last_weights: dict[int, list[Tensor]] = {}
        """Its last weights, in the order of ``parameters``."""

    def check_losses(self, losses: Tensor) -> None:
        """Note the seeds whose loss [S] is not finite."""
        self._note(losses, "the loss is {}")

    def norm(self, gradients: list[Tensor]) -> Tensor:
        """The norm [S] of each seed's gradients; notes the seeds where it is not finite."""
        squares = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
        norms = torch.linalg.vector_norm(torch.stack(squares), dim=0)
        self._note(norms, "a gradient is NaN or infinite")
        return norms

    def scaled(self, tensors: list[Tensor], factor: Tensor) -> list[Tensor]:
        return [t * factor.view(-1, *[1] * (t.dim() - 1)) for t in tensors]

    def apply(self, scale: float = 1.0, clip: bool = True) -> None:
        """One update with the gradients times ``scale``; NonFiniteError once every seed failed."""
        gradients = self.gradients()
        norms = self.norm(gradients)
        if self.reasons:
            self._put_aside(gradients)
        if clip and self.clip_norm is not None:
            factors = (self.clip_norm / (norms * abs(scale)).clamp_min(1e-12)).clamp(max=1.0)
            for gradient, scaled in zip(
                gradients, self.scaled(gradients, factors.nan_to_num() * scale), strict=True
            ):
                gradient.copy_(scaled)
        elif scale != 1.0:
            torch._foreach_mul_(gradients, scale)
        self.optimiser.step()
        self.updates += 1

    def _note(self, values: Tensor, reason: str) -> None:
        finite = torch.isfinite(values)
        if bool(finite.all()):
            return
        for place in torch.nonzero(~finite).flatten().tolist():
            self.reasons.setdefault(place, reason.format(float(values[place])))

    def _put_aside(self, gradients: list[Tensor]) -> None:
        for place in self.reasons:
            if place not in self.last_weights:
                self.last_weights[place] = [p[place].detach().clone() for p in self.parameters]
            for gradient in gradients:
                gradient[place] = 0
        if len(self.reasons) == self.n_seeds:
            raise NonFiniteError("every seed of the stack met a value that is not finite")


class StackedMirrorGradient(MirrorGradient):
    """Mirror Gradient that says of each seed what its ascent half-step did."""

    def start_epoch(self) -> None:
        super().start_epoch()
        self.ascents: list[dict[str, float]] = []
        """``ascent`` of each seed; [] before the first mirror step of an epoch."""

    def _apply_and_measure(self) -> None:
        parameters = [p for p in self.optimiser.parameters if p.grad is not None]
        before = [p.detach().clone() for p in parameters]
        uphill = [p.grad.detach().clone() for p in parameters if p.grad is not None]
        self.optimiser.apply(-self.alpha2)
        sums = torch.zeros(5, len(parameters[0]), dtype=torch.float64)
        for parameter, start, gradient in zip(parameters, before, uphill, strict=True):
            move = (parameter.detach() - start).flatten(1)
            products = move * gradient.flatten(1)
            sums += torch.stack(
                [
                    products.sum(dim=1).double(),
                    move.square().sum(dim=1).double(),
                    gradient.flatten(1).square().sum(dim=1).double(),
                    (products > 0).sum(dim=1).double(),
                    (products != 0).sum(dim=1).double(),
                ]
            ).cpu()
        self.ascents = [
            {
                "ascent_cosine": dot / (moves * slopes) ** 0.5 if moves * slopes > 0 else 0.0,
                "share_uphill": agree / moved if moved else 0.0,
            }
            for dot, moves, slopes, agree, moved in sums.T.tolist()
        ]
        self.ascent = self.ascents[0]
