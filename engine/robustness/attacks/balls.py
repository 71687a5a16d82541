"""The balls that attacks stay in: the steepest step in a norm, and the way back inside.

Shapes: n attacked items, W width of the rows.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from engine.data.perturbations.units import Norm
from engine.robustness.attacks.row_spaces import Rows, RowSpace

BallShape = Literal["each", "joint"]


class Ball:
    """All changes of strength 1 or less around clean rows.

    ``lengths_m`` [n] is what strength 1 is for each row of a modality. ``each``: in every modality
    ``||d_m|| <= lengths_m``. ``joint`` (L2 only): the root mean square over the M modalities of
    ``||d_m|| / lengths_m`` is at most 1, so that the budget may be spent where it does most; it
    holds the other ball.
    """

    def __init__(self, space: RowSpace, lengths: Rows, norm: Norm, shape: BallShape) -> None:
        self.space, self.lengths, self.norm = space, lengths, norm
        self.is_joint = shape == "joint" and len(lengths) > 1

    def step(self, gradient: Rows, share: float = 1.0) -> Rows:
        """The step along which a linear goal of this gradient rises most, ``share`` of the radius
        long; a row without gradient stays where it is."""
        if self.norm == "linf":
            return {m: torch.sign(g) * (share * self.lengths[m])[:, None]
                    for m, g in gradient.items()}  # fmt: skip
        if self.is_joint:
            return self._joint_step(gradient, share)
        return {m: self._of_length(m, g, share * self.lengths[m]) for m, g in gradient.items()}

    def inside(self, change: Rows) -> Rows:
        """The change itself where it is in the ball, else the same direction cut to its surface
        (in L-infinity: every coordinate cut)."""
        if self.norm == "linf":
            return {
                m: torch.maximum(
                    torch.minimum(d, self.lengths[m][:, None]), -self.lengths[m][:, None]
                )
                for m, d in change.items()
            }
        if self.is_joint:
            over = self.strengths(change)
            shrink = torch.where(over > 1, 1 / over.clamp_min(1), 1.0)[:, None]
            return {m: d * shrink for m, d in change.items()}
        cut = {}
        for m, d in change.items():
            norms = self.space.squared_norms(m, d).sqrt()
            cut[m] = torch.where(
                (norms > self.lengths[m])[:, None], self._of_length(m, d, self.lengths[m]), d
            )
        return cut

    def strengths(self, change: Rows) -> Tensor:
        """Root mean square over the modalities of ``||d_m|| / lengths_m`` [n]; L2."""
        squares = [
            self.space.squared_norms(m, d) / torch.where(lengths > 0, lengths, 1.0).square()
            for (m, d), lengths in zip(change.items(), self.lengths.values(), strict=True)
        ]
        return torch.stack(squares).mean(0).sqrt()

    def _joint_step(self, gradient: Rows, share: float) -> Rows:
        """``d_m`` along ``lengths_m^2 g_m``: Cauchy and Schwarz in the ball's own metric."""
        largest = torch.stack([g.abs().amax(dim=1) for g in gradient.values()]).amax(0)
        safe = torch.where(largest > 0, largest, 1.0)[:, None]
        along = {m: self.lengths[m].square()[:, None] * (g / safe) for m, g in gradient.items()}
        norms = self.strengths(along)
        scale = (share / torch.where(norms > 0, norms, 1.0))[:, None]
        return {m: d * scale for m, d in along.items()}

    def _of_length(self, modality: str, rows: Tensor, lengths: Tensor) -> Tensor:
        """Rows scaled to L2 lengths [n]; they are first divided by their largest entry, so that
        gradients as small as 1e-30 keep their direction. Zero rows stay zero."""
        largest = rows.abs().amax(dim=1, keepdim=True)
        safe = rows / torch.where(largest > 0, largest, 1.0)
        norms = self.space.squared_norms(modality, safe).sqrt()[:, None]
        return safe / torch.where(norms > 0, norms, 1.0) * lengths[:, None]
