"""Hessian-vector products through the factors: no triple is gathered by autograd.

The ranking loss sees weights only through the factors ``F(theta) = (U, V)``, and factors only
through the margins of the triples. With ``l'`` and ``l''`` the loss's derivatives by each margin
(divided by T), and W(w) the sparse [U, I] matrix with ``w_t`` at (u, i) and ``-w_t`` at (u, j):

    gradient:  G_U = W(l') V,  G_V = W(l')^T U
    margins:   dm_t = entries of dU V^T + U dV^T at (u, i) minus at (u, j)
    product:   H_U = W(l'' dm) V + W(l') dV,  H_V = W(l'' dm)^T U + W(l')^T dU

and the chain to theta is ``J^T H_F J v`` plus ``d^2 <G, F>/dtheta^2 v``, which is zero for affine
factors. Gauss-Newton keeps only the terms with l''.

Legend: T triples, E entries of the sparse pattern, U users, I items, D factor width, P parameters.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from engine.geometry.ranking_loss import margins_of
from engine.geometry.theta import AffineFactors, ThetaSpace, factors_at, theta_of
from engine.models import Block
from engine.objectives import Triples
from engine.training import Trained


class TriplePattern:
    """The sparse users x items matrices of weights on a fixed list of triples."""

    def __init__(self, triples: Triples, n_users: int, n_items: int) -> None:
        rows = triples.users * n_items
        pairs = torch.cat([rows + triples.positives, rows + triples.negatives])
        keys_E, entry = torch.unique(pairs, return_inverse=True)
        self.positive_T, self.negative_T = entry.split(len(triples))
        rows, columns = keys_E // n_items, keys_E % n_items
        self.shape = (n_users, n_items)
        self.starts = _starts(rows, n_users)
        self.columns_E = columns.to(torch.int32)
        self.order_E = torch.argsort(columns * n_users + rows)
        self.transposed_starts = _starts(columns[self.order_E], n_items)
        self.transposed_columns_E = rows[self.order_E].to(torch.int32)

    def entries(self, weights_T: Tensor) -> Tensor:
        """Entries [E] of W: each triple's weight at its positive, minus it at its negative."""
        entries_E = weights_T.new_zeros(len(self.columns_E))
        entries_E.index_add_(0, self.positive_T, weights_T)
        return entries_E.index_add_(0, self.negative_T, weights_T, alpha=-1)

    def times_items(self, entries_E: Tensor, items_ID: Tensor) -> Tensor:
        """``W @ items``: [U, D]."""
        return _csr(self.starts, self.columns_E, entries_E, self.shape) @ items_ID

    def times_users(self, entries_E: Tensor, users_UD: Tensor) -> Tensor:
        """``W^T @ users``: [I, D]."""
        return (
            _csr(
                self.transposed_starts,
                self.transposed_columns_E,
                entries_E[self.order_E],
                self.shape[::-1],
            )
            @ users_UD
        )

    def margins(self, *pairs: tuple[Tensor, Tensor]) -> Tensor:
        """``<users_u, items_i - items_j>`` of each triple [T], summed over pairs of factors."""
        entries_E = pairs[0][0].new_zeros(len(self.columns_E))
        table = _csr(self.starts, self.columns_E, entries_E, self.shape)
        for index, (users_UD, items_ID) in enumerate(pairs):
            table = torch.sparse.sampled_addmm(table, users_UD, items_ID.T, beta=float(index > 0))
        products_E = table.values()
        return products_E[self.positive_T] - products_E[self.negative_T]


def _starts(sorted_ids: Tensor, n: int) -> Tensor:
    counts = torch.bincount(sorted_ids, minlength=n)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(torch.int32)


def _csr(starts: Tensor, columns: Tensor, entries: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says once that CSR is in beta
        return torch.sparse_csr_tensor(starts, columns, entries, shape, check_invariants=False)


class FactorLoss:
    """The ranking loss as a function of the factors alone: value, gradient, Hessian product."""

    def __init__(
        self,
        users_UD: Tensor,
        items_ID: Tensor,
        triples: Triples,
        pattern: TriplePattern | None = None,
    ) -> None:
        self.users_UD, self.items_ID = users_UD.contiguous(), items_ID.contiguous()
        self.pattern = pattern or TriplePattern(triples, len(users_UD), len(items_ID))
        margins_T = margins_of(self.users_UD, self.items_ID, triples)
        self.n_triples = len(triples)
        self.value = float(
            torch.nn.functional.softplus(-margins_T).sum(dtype=torch.float64) / self.n_triples
        )
        self.slopes_T = -torch.sigmoid(-margins_T) / self.n_triples
        self.curvatures_T = torch.sigmoid(margins_T) * torch.sigmoid(-margins_T) / self.n_triples
        self.slope_entries_E = self.pattern.entries(self.slopes_T)

    def gradient(self) -> tuple[Tensor, Tensor]:
        """``dL/dU`` [U, D] and ``dL/dV`` [I, D]."""
        return (
            self.pattern.times_items(self.slope_entries_E, self.items_ID),
            self.pattern.times_users(self.slope_entries_E, self.users_UD),
        )

    def product(
        self, users_step_UD: Tensor, items_step_ID: Tensor, gauss_newton: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The Hessian (or its Gauss-Newton part) times a step of the factors."""
        pattern = self.pattern
        steps_T = pattern.margins((users_step_UD, self.items_ID), (self.users_UD, items_step_ID))
        weights_E = pattern.entries(self.curvatures_T * steps_T)
        users_UD = pattern.times_items(weights_E, self.items_ID)
        items_ID = pattern.times_users(weights_E, self.users_UD)
        if not gauss_newton:
            users_UD = users_UD + pattern.times_items(self.slope_entries_E, items_step_ID)
            items_ID = items_ID + pattern.times_users(self.slope_entries_E, users_step_UD)
        return users_UD, items_ID


class FactorHessian:
    """Gradient and Hessian products in weight space, through FactorLoss.

    ``block`` restricts both to one block's parameters. ``gauss_newton`` leaves out the second
    derivatives of the margins by the weights: positive semidefinite.
    """

    def __init__(
        self,
        trained: Trained,
        triples: Triples,
        block: Block | None = None,
        gauss_newton: bool = False,
        factor_loss: FactorLoss | None = None,
    ) -> None:
        self.space = ThetaSpace.of(trained.model, block)
        self.n_products = 0
        self._gauss_newton = gauss_newton
        theta = theta_of(trained)
        self._leaves = [theta[name].clone().requires_grad_() for name in self.space.shapes]
        with torch.enable_grad():
            moved = theta | dict(zip(self.space.shapes, self._leaves, strict=True))
            self._users, self._items = factors_at(trained, moved)
        self.factor_loss = factor_loss or FactorLoss(
            self._users.detach(), self._items.detach(), triples
        )
        self._affine = AffineFactors(trained) if trained.model.affine else None
        if self._affine is None:
            self._prepare_second_order()

    def _prepare_second_order(self) -> None:
        """``J^T G`` as a function of G and theta: its derivatives give J v and the second term."""
        self._cotangents = [g.requires_grad_() for g in self.factor_loss.gradient()]
        outputs = [
            (factors, cotangent)
            for factors, cotangent in zip((self._users, self._items), self._cotangents, strict=True)
            if factors.requires_grad  # a block's parameters may not reach both
        ]
        with torch.enable_grad():
            self._pulled = torch.autograd.grad(
                [factors for factors, _ in outputs],
                self._leaves,
                [cotangent for _, cotangent in outputs],
                create_graph=True,
                allow_unused=True,
            )

    def _pull(self, users_UD: Tensor, items_ID: Tensor) -> Tensor:
        outputs = [(self._users, users_UD), (self._items, items_ID)]
        outputs = [(o, g) for o, g in outputs if o.requires_grad]
        if not outputs:
            return torch.zeros(self.space.size, dtype=self.space.dtype, device=self.space.device)
        gradients = torch.autograd.grad(
            [o for o, _ in outputs],
            self._leaves,
            [g for _, g in outputs],
            retain_graph=True,
            allow_unused=True,
        )
        return torch.cat(
            [
                (torch.zeros_like(leaf) if g is None else g).reshape(-1)
                for g, leaf in zip(gradients, self._leaves, strict=True)
            ]
        )

    def loss(self) -> float:
        return self.factor_loss.value

    def gradient(self) -> Tensor:
        return self._pull(*self.factor_loss.gradient())

    def product(self, vector_P: Tensor) -> Tensor:
        self.n_products += 1
        second_P: Tensor | float = 0.0
        if self._affine is not None:
            users_step, items_step = self._affine.step(self.space.theta(vector_P))
        else:
            users_step, items_step, second_P = self._nonlinear_step(vector_P)
        factors = self.factor_loss.product(users_step, items_step, self._gauss_newton)
        pulled_P = self._pull(*factors)
        return pulled_P if self._gauss_newton else pulled_P + second_P

    def _nonlinear_step(self, vector_P: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.space.theta(vector_P).values()
        with torch.enable_grad():
            dot = sum(
                (
                    (g * part).sum()
                    for g, part in zip(self._pulled, parts, strict=True)
                    if g is not None
                ),
                start=vector_P.new_zeros(()),
            )
        wanted = [*self._cotangents, *self._leaves]
        gradients = torch.autograd.grad(dot, wanted, retain_graph=True, allow_unused=True)
        steps = [
            torch.zeros_like(w) if f is None else f for f, w in zip(gradients, wanted, strict=True)
        ]
        return steps[0], steps[1], torch.cat([s.reshape(-1) for s in steps[2:]])
