"""The loss by its factors, in coordinates that know nothing of how the factors are written down.

Scores are ``U V^T``. The metric ``G = blockdiag(I (x) C_V, I (x) U'U / n_users)``, with ``C_V`` the
centred covariance of the item factors, makes ``||dU||_G^2`` the sum over users of the mean square
change of their centred scores, and ``||dV||_G^2`` the sum over items of the mean square change of
their scores, both to first order. It is the metric of fixed-rank matrix optimisation (Mishra et
al., arXiv 1306.2672; Mishra and Sepulchre, arXiv 1405.6055). With the temperature in U, eigenvalues
of ``G^-1/2 H G^-1/2`` stay the same when factors are scaled, rotated or mixed, scores are
multiplied by a number, or one vector is added to every item.

Everything is computed at the one factorisation of the centred scores in which both blocks of G are
diagonal: with ``T U V_c^T = P S Q^T`` (singular values S), the factors ``P S^1/2`` and ``Q S^1/2``
have ``C_V = S / n_items`` and ``U'U / n_users = S / n_users``.

Two facts about H in this metric. Its off-diagonal part, in which user and item factors move
together, grows as ``1 / S_k`` along the k-th component, so the largest eigenvalue depends on how
small the smallest singular value is: on nearly unused width. Its Gauss-Newton part does not.

Legend: T triples, U users, I items, D factor width, R rank of the centred scores.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from engine.geometry.curvature.hessian.factor_hessian import FactorLoss
from engine.geometry.ranking_loss import BLOCK, mean_ranking_loss
from engine.objectives import Triples

CUTOFF = 1e-5
"""Singular values of the centred scores below this share of the largest count as 0 (the cut-off of
the metric's pseudo-inverse)."""


def canonical_factors(users_UD: Tensor, items_ID: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Factors [U, R] and [I, R] of the centred scores with equal Gram matrices ``diag(S)``, and S.

    Unique up to signs, and mixing within equal singular values. Computed in float64.
    """
    centred_ID = items_ID.double() - items_ID.double().mean(dim=0)
    users_Q, users_R = torch.linalg.qr(users_UD.double())
    items_Q, items_R = torch.linalg.qr(centred_ID)
    left, sizes, right = torch.linalg.svd(users_R @ items_R.T, full_matrices=False)
    held = sizes > CUTOFF * sizes[0]
    sizes_R = sizes[held]
    roots_R = sizes_R.sqrt()
    users_UR = users_Q @ (left[:, held] * roots_R)
    items_IR = items_Q @ (right.T[:, held] * roots_R)
    return users_UR, items_IR, sizes_R


class InvariantLoss:
    """The ranking loss of triples as a function of whitened steps of the factors.

    A vector holds a step of the users [U, R], then one of the items [I, R], flat, in units of
    ``||.||_G``. ``temperature`` multiplies the user factors. ``rank`` is 0 where all centred scores
    are 0.
    """

    def __init__(
        self, users_UD: Tensor, items_ID: Tensor, temperature: float, triples: Triples
    ) -> None:
        users, items, sizes_R = canonical_factors(temperature * users_UD, items_ID)
        self.rank = len(sizes_R)
        self.triples = triples
        self.users_UR, self.items_IR = users.to(users_UD), items.to(items_ID)
        self.user_scale_R = (len(items) / sizes_R).sqrt().to(users_UD)
        self.item_scale_R = (len(users) / sizes_R).sqrt().to(items_ID)

    @property
    def size(self) -> int:
        """Entries of a vector."""
        return self.users_UR.numel() + self.items_IR.numel()

    @cached_property
    def factor_loss(self) -> FactorLoss:
        return FactorLoss(self.users_UR, self.items_IR, self.triples)

    def factor_step(self, vector_P: Tensor) -> tuple[Tensor, Tensor]:
        """The step of the factors [U, R], [I, R] that a whitened vector stands for."""
        n = self.users_UR.numel()
        users_UR = vector_P[:n].view_as(self.users_UR) * self.user_scale_R
        return users_UR, vector_P[n:].view_as(self.items_IR) * self.item_scale_R

    def whiten(self, users_UR: Tensor, items_IR: Tensor) -> Tensor:
        """A gradient by the factors as a gradient by whitened vectors."""
        parts = users_UR * self.user_scale_R, items_IR * self.item_scale_R
        return torch.cat([part.reshape(-1) for part in parts])

    def product(self, vector_P: Tensor, gauss_newton: bool = False) -> Tensor:
        """``G^-1/2 H G^-1/2`` times a vector, or its Gauss-Newton part."""
        return self.whiten(*self.factor_loss.product(*self.factor_step(vector_P), gauss_newton))

    def gauss_newton_product(self, vector_P: Tensor) -> Tensor:
        """The Gauss-Newton part times a vector; positive semidefinite."""
        return self.product(vector_P, gauss_newton=True)

    def loss(self, vector_P: Tensor) -> float:
        """The loss after a step."""
        users_UR, items_IR = self.factor_step(vector_P)
        return mean_ranking_loss(self.users_UR + users_UR, self.items_IR + items_IR, self.triples)

    def gradient(self, vector_P: Tensor) -> Tensor:
        """Its gradient after a step, by the whitened vector."""
        users_UR, items_IR = self.factor_step(vector_P)
        there = FactorLoss(
            self.users_UR + users_UR, self.items_IR + items_IR, self.triples,
            self.factor_loss.pattern,
        )  # fmt: skip
        return self.whiten(*there.gradient())

    def trace(self) -> float:
        """Trace of ``G^-1/2 H G^-1/2``, exactly; that of its Gauss-Newton part, the rest has 0."""
        total = 0.0
        for start in range(0, len(self.triples), BLOCK):
            part = self.triples.part(start, start + BLOCK)
            gaps_TR = (self.items_IR[part.positives] - self.items_IR[part.negatives]).double()
            users_TR = self.users_UR[part.users].double()
            squares_T = (gaps_TR * self.user_scale_R.double()).square().sum(1)
            squares_T += 2 * (users_TR * self.item_scale_R.double()).square().sum(1)
            curvatures_T = self.factor_loss.curvatures_T[start : start + BLOCK].double()
            total += float(curvatures_T @ squares_T)
        return total
