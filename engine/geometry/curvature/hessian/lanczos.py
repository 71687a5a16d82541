"""Eigenpairs at both ends of a symmetric operator's spectrum, by Lanczos.

Full reorthogonalisation, and no restart while the basis fits in memory: every product with the
operator adds one dimension to the space searched, and none is thrown away.

Legend: P parameters, M basis vectors, K eigenpairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.long_vectors import inner_products, length

Matvec = Callable[[Tensor], Tensor]


N_SPARE = 2
"""Eigenvalues beyond those asked for that must settle too before the search stops. Of close
eigenvalues a Krylov space may hold a later one first: with none to spare, 4 of 25 starts on a run
of plain training took the sixth for the fifth, 4 % off."""

BASIS_BYTES = 2 << 30
"""Memory for the basis; beyond it the search restarts from its best part (thick restart)."""


@dataclass(frozen=True)
class Krylov:
    """A Lanczos decomposition ``A Q = Q T + beta q e^T`` of M basis vectors."""

    basis_MP: Tensor
    """Orthonormal rows Q."""
    projected_MM: np.ndarray
    """T: tridiagonal, and after a restart an arrow at its start."""
    beta: float
    """How far the product of the last basis vector leads out of the basis."""

    def ritz(self) -> tuple[np.ndarray, np.ndarray]:
        """Ritz values [M], ascending, and the eigenvectors [M, M] of T (columns)."""
        values, vectors = np.linalg.eigh(self.projected_MM)
        return values, vectors

    def residuals(self) -> np.ndarray:
        """``||A y - theta y||`` of each Ritz pair [M], ascending by value.

        Never below the rounding error of the number format.
        """
        values, vectors = self.ritz()
        return _residuals(self, values, vectors)


def _residuals(krylov: Krylov, values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    rounding = 10 * torch.finfo(krylov.basis_MP.dtype).eps * np.abs(values).max()
    return np.abs(krylov.beta * vectors[-1]) + rounding


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues with unit eigenvectors and their residual norms."""

    values_K: np.ndarray
    vectors_KP: Tensor
    residuals_K: np.ndarray
    """``||A v - lambda v||_2``."""
    errors_K: np.ndarray
    """Estimates of the eigenvalues' relative errors."""
    converged_K: np.ndarray
    """Whether each estimate is within its tolerance."""
    n_top: int
    """How many of them are of the top; the others are of the bottom."""
    n_products: int
    krylov: Krylov

    @property
    def top(self) -> float:
        """The largest eigenvalue."""
        return float(self.values_K[0])

    @property
    def has_converged(self) -> bool:
        """Whether all of them are within their tolerances."""
        return bool(self.converged_K.all())


def lanczos_steps(matvec: Matvec, start_P: Tensor, n_steps: int) -> Krylov:
    """``n_steps`` steps, or fewer where the Krylov space ends."""
    process = _LanczosProcess(matvec, start_P)
    while process.n_products < n_steps and process.step():
        pass
    return process.krylov()


def extreme_eigenpairs(
    matvec: Matvec,
    start_P: Tensor,
    n_top: int,
    n_bottom: int = 0,
    tolerance: float = 1e-3,
    bottom_tolerance: float = 1e-2,
    max_products: int = 300,
    progress: Progress = silent,
    n_spare: int = N_SPARE,
) -> Eigenpairs:
    """The ``n_top`` largest (descending), then the ``n_bottom`` smallest (ascending) eigenpairs.

    Stops when each eigenvalue's estimated error is below ``tolerance`` relative to its size, or
    ``bottom_tolerance`` for the smallest ones, which lie dense and converge late; values near zero
    count as 1e-3 of the largest. The estimate is the residual r, within which some eigenvalue lies,
    or r^2 / gap where the gap to the other Ritz values is larger (Parlett, The Symmetric Eigenvalue
    Problem, section 11.7), which holds once these have settled too. An eigenvalue that occurs
    exactly several times may be counted fewer times: a Krylov space holds one vector of each.
    ``n_spare`` further ones at each end asked for must settle as well; until they have, the last
    one of that end counts as unconverged.
    """
    process = _LanczosProcess(matvec, start_P)
    size = start_P.numel()
    ends = (_End(n_top, n_spare, tolerance), _End(n_bottom, n_spare, bottom_tolerance))
    n_wide = (ends[0].n_wide, ends[1].n_wide)
    wanted = min(sum(n_wide), size)
    room = BASIS_BYTES // (size * start_P.element_size())
    room = max(int(room), 3 * wanted + 20)
    spans_all = within = False
    while not (spans_all or within) and process.n_products < max_products:
        continues = process.step() or process.start_afresh()
        spans_all = not continues or process.n_basis >= size
        if process.n_basis >= wanted and not spans_all:
            errors = _errors(process.krylov(), *n_wide)
            within = bool((errors <= _limits(ends, process.n_basis)).all())
            progress(
                min(process.n_products / max_products, 1.0),
                f"Lanczos, {process.n_products} products, errors about {errors.max():.1e}",
            )
            if process.n_basis >= room and not within:
                process.restart(room // 2, *n_wide)
    krylov = process.krylov()
    values, vectors = krylov.ritz()
    errors = _errors(krylov, *n_wide)
    is_asked = np.concatenate([np.arange(end.n_wide)[: len(values)] < end.n for end in ends])
    chosen = _extreme_indices(len(values), *n_wide)[is_asked]
    mixing = torch.from_numpy(vectors[:, chosen].T.copy()).to(krylov.basis_MP)
    return Eigenpairs(
        values_K=values[chosen],
        vectors_KP=mixing @ krylov.basis_MP,
        residuals_K=_residuals(krylov, values, vectors)[chosen],
        errors_K=errors[is_asked],
        converged_K=_convergence(ends, errors, len(values)) | spans_all,
        n_top=min(n_top, len(values)),
        n_products=process.n_products,
        krylov=krylov,
    )


@dataclass(frozen=True)
class _End:
    """What is asked at one end of the spectrum: eigenvalues, spare ones, and their tolerance."""

    n: int
    n_spare: int
    tolerance: float

    @property
    def n_wide(self) -> int:
        return self.n + self.n_spare if self.n else 0


def _limits(ends: tuple[_End, _End], n_basis: int) -> np.ndarray:
    """Relative errors allowed on each end's Ritz values, spares included, in their order."""
    return np.concatenate([np.full(min(end.n_wide, n_basis), end.tolerance) for end in ends])


def _convergence(ends: tuple[_End, _End], errors: np.ndarray, n_basis: int) -> np.ndarray:
    """Which of the asked eigenvalues are within tolerance, the last of an end with its spares."""
    settled = errors <= _limits(ends, n_basis)
    split = min(ends[0].n_wide, n_basis)
    answers = []
    for end, part in zip(ends, (settled[:split], settled[split:]), strict=True):
        asked = part[: end.n].copy()
        if len(asked):
            asked[-1] &= part[end.n :].all()
        answers.append(asked)
    return np.concatenate(answers)


def _extreme_indices(n: int, n_top: int, n_bottom: int) -> np.ndarray:
    top = np.arange(n - 1, max(n - 1 - n_top, -1), -1)
    return np.concatenate([top, np.arange(min(n_bottom, n))])


def _errors(krylov: Krylov, n_top: int, n_bottom: int) -> np.ndarray:
    """Estimates of the wanted Ritz values' relative errors."""
    values, vectors = krylov.ritz()
    residuals = _residuals(krylov, values, vectors)
    chosen = _extreme_indices(len(values), n_top, n_bottom)
    scale = max(float(np.abs(values).max()), 1e-300)
    errors = np.empty(len(chosen))
    for index, k in enumerate(chosen):
        gap = np.abs(np.delete(values, k) - values[k]).min() if len(values) > 1 else 0.0
        error = residuals[k] ** 2 / gap if gap > residuals[k] else residuals[k]
        errors[index] = error / max(abs(values[k]), 1e-3 * scale)
    return errors


class _LanczosProcess:
    """Lanczos with every new vector made orthogonal to all before it."""

    def __init__(self, matvec: Matvec, start_P: Tensor) -> None:
        self.matvec = matvec
        self.current_P = start_P / length(start_P)
        self.n_products = 0
        self.n_basis = 0
        self.beta = 0.0
        self._basis_MP = start_P.new_empty(32, start_P.numel())
        self._projected_MM = np.zeros((0, 0))

    def step(self) -> bool:
        """One product; False where the Krylov space is exhausted by it."""
        m = self.n_basis
        if m == len(self._basis_MP):
            grown = self._basis_MP.new_empty(m + 32, self._basis_MP.shape[1])
            grown[:m] = self._basis_MP
            self._basis_MP = grown
        self._basis_MP[m] = self.current_P
        known_MP = self._basis_MP[: m + 1]
        product_P = self.matvec(self.current_P)
        self.n_products += 1
        before = after = length(product_P)
        entries_M = np.zeros(m + 1)
        # All but rounding lies along the last two vectors; after a restart more does, and then the
        # length falls, which asks for another pass (Daniel, Gragg, Kaufman and Stewart, 1976).
        for first in (max(m - 1, 0), 0, 0):
            shares_M = inner_products(known_MP[first:], product_P[None])[:, 0]
            entries_M[first:] += shares_M.cpu().numpy()
            product_P = torch.addmv(product_P, known_MP[first:].T, shares_M.to(product_P), alpha=-1)
            last, after = after, length(product_P)
            if first == 0 and after > 0.7 * last:
                break
        self._projected_MM = np.pad(self._projected_MM, (0, 1))
        self._projected_MM[m] = self._projected_MM[:, m] = entries_M
        self.n_basis = m + 1
        self.beta = after
        if self.beta <= 10 * torch.finfo(product_P.dtype).eps * max(before, 1e-300):
            self.beta = 0.0
            return False
        self.current_P = product_P / self.beta
        return True

    def start_afresh(self) -> bool:
        """Go on outside an exhausted Krylov space; False where nothing is outside."""
        known_MP = self._basis_MP[: self.n_basis]
        draws = torch_generator(0, "lanczos afresh", self.n_products)
        fresh_P = torch.randn(known_MP.shape[1], generator=draws).to(known_MP)
        fresh_P = fresh_P / length(fresh_P)
        for _ in range(2):
            fresh_P = fresh_P - known_MP.T @ (known_MP @ fresh_P)
        left = length(fresh_P)
        if self.n_basis >= len(fresh_P) or left < 1e-4:
            return False
        self.current_P = fresh_P / left
        return True

    def restart(self, n_kept: int, n_top: int, n_bottom: int) -> None:
        """Keep the Ritz vectors nearest to the wanted ends (Wu and Simon, SIMAX 2000)."""
        values, vectors = self.krylov().ritz()
        n_low = n_kept * n_bottom // (n_top + n_bottom)
        retained = _extreme_indices(len(values), n_kept - n_low, n_low)
        mixing = torch.from_numpy(vectors[:, retained].T.copy()).to(self._basis_MP)
        self._basis_MP[: len(retained)] = mixing @ self._basis_MP[: self.n_basis]
        self._projected_MM = np.diag(values[retained])
        self.n_basis = len(retained)

    def krylov(self) -> Krylov:
        return Krylov(self._basis_MP[: self.n_basis], self._projected_MM, self.beta)
