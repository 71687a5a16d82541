"""Eigenpairs at both ends of a symmetric operator's spectrum, by Lanczos.

No restarts and full reorthogonalisation: every product with the operator adds one dimension to
the space searched, so none is thrown away. The cost is memory, one vector a product.

Legend: P parameters, M Lanczos steps, K eigenpairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import torch_generator

Matvec = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Krylov:
    """A Lanczos decomposition ``A Q = Q T + beta q e^T`` after M steps."""

    basis_MP: Tensor
    """Orthonormal rows Q."""
    diagonal_M: np.ndarray
    off_diagonal_M: np.ndarray
    """``beta`` of each step; the last one belongs to the residual."""

    @property
    def n_steps(self) -> int:
        """Products with the operator so far."""
        return len(self.diagonal_M)

    def ritz(self) -> tuple[np.ndarray, np.ndarray]:
        """Ritz values [M], ascending, and the eigenvectors [M, M] of T (columns)."""
        values, vectors = eigh_tridiagonal(self.diagonal_M, self.off_diagonal_M[:-1])
        return values, vectors

    def residuals(self) -> np.ndarray:
        """``||A y - theta y||`` of each Ritz pair [M], ascending by value.

        Never below the rounding error of the number format.
        """
        values, vectors = self.ritz()
        rounding = 10 * torch.finfo(self.basis_MP.dtype).eps * np.abs(values).max()
        return np.abs(self.off_diagonal_M[-1] * vectors[-1]) + rounding


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues with unit eigenvectors and their residual norms."""

    values_K: np.ndarray
    vectors_KP: Tensor
    residuals_K: np.ndarray
    """``||A v - lambda v||_2``."""
    n_products: int
    has_converged: bool
    krylov: Krylov


def lanczos_steps(matvec: Matvec, start_P: Tensor, n_steps: int) -> Krylov:
    """Exactly ``n_steps`` steps, or fewer where the Krylov space ends."""
    process = _Process(matvec, start_P)
    while process.n_steps < n_steps and process.step():
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
) -> Eigenpairs:
    """The ``n_top`` largest (descending), then the ``n_bottom`` smallest (ascending) eigenpairs.

    Stops when each eigenvalue's error bound is below ``tolerance`` relative to its size, or
    ``bottom_tolerance`` for the smallest ones, which lie dense and converge late; values near zero
    count as 1e-3 of the largest. The bound is the residual r, or r^2 / gap where the gap to the
    other Ritz values is larger (Parlett, The Symmetric Eigenvalue Problem, section 11.7). An
    eigenvalue that occurs exactly several times may be counted fewer times: a Krylov space holds
    one vector of each.
    """
    process = _Process(matvec, start_P)
    size = start_P.numel()
    wanted = min(n_top + n_bottom, size)
    converged = False
    while not converged and process.n_steps < max_products:
        goes_on = process.step() or process.start_afresh()
        converged = not goes_on or process.n_steps >= size
        if process.n_steps >= wanted and not converged:
            errors = _errors(process.krylov(), _chosen(process.n_steps, n_top, n_bottom))
            allowed = np.full(len(errors), tolerance)
            allowed[n_top:] = bottom_tolerance
            converged = bool((errors <= allowed).all())
            progress(
                min(process.n_steps / max_products, 1.0),
                f"Lanczos, {process.n_steps} products, errors below {errors.max():.1e}",
            )
    krylov = process.krylov()
    values, vectors = krylov.ritz()
    residuals = krylov.residuals()
    chosen = _chosen(len(values), n_top, n_bottom)
    mixing = torch.from_numpy(vectors[:, chosen].T.copy()).to(krylov.basis_MP)
    return Eigenpairs(
        values[chosen],
        mixing @ krylov.basis_MP,
        residuals[chosen],
        krylov.n_steps,
        converged,
        krylov,
    )


def _chosen(n: int, n_top: int, n_bottom: int) -> np.ndarray:
    top = np.arange(n - 1, max(n - 1 - n_top, -1), -1)
    return np.concatenate([top, np.arange(min(n_bottom, n))])


def _errors(krylov: Krylov, chosen: np.ndarray) -> np.ndarray:
    """Bounds of the chosen Ritz values' relative errors."""
    values, _ = krylov.ritz()
    residuals = krylov.residuals()
    scale = max(float(np.abs(values).max()), 1e-300)
    errors = np.empty(len(chosen))
    for index, k in enumerate(chosen):
        gap = np.abs(np.delete(values, k) - values[k]).min() if len(values) > 1 else 0.0
        bound = residuals[k] ** 2 / gap if gap > residuals[k] else residuals[k]
        errors[index] = bound / max(abs(values[k]), 1e-3 * scale)
    return errors


class _Process:
    """Lanczos with every new vector made orthogonal, twice, to all before it."""

    def __init__(self, matvec: Matvec, start_P: Tensor) -> None:
        self.matvec = matvec
        length = torch.linalg.vector_norm(start_P)
        self.current_P = start_P / length
        self.basis_MP = start_P.new_empty(32, start_P.numel())
        self.diagonal: list[float] = []
        self.off_diagonal: list[float] = []

    @property
    def n_steps(self) -> int:
        return len(self.diagonal)

    def step(self) -> bool:
        """One product; False where the Krylov space is exhausted by it."""
        m = self.n_steps
        if m == len(self.basis_MP):
            grown = self.basis_MP.new_empty(m + 32, self.basis_MP.shape[1])
            grown[:m] = self.basis_MP
            self.basis_MP = grown
        self.basis_MP[m] = self.current_P
        product_P = self.matvec(self.current_P)
        self.diagonal.append(float(self.current_P.double() @ product_P.double()))
        known_MP = self.basis_MP[: m + 1]
        before = float(torch.linalg.vector_norm(product_P))
        for _ in range(2):
            product_P = product_P - known_MP.T @ (known_MP @ product_P)
        beta = float(torch.linalg.vector_norm(product_P))
        self.off_diagonal.append(beta)
        exhausted = beta <= 10 * torch.finfo(product_P.dtype).eps * max(before, 1e-300)
        if exhausted:
            self.off_diagonal[-1] = 0.0
        else:
            self.current_P = product_P / beta
        return not exhausted

    def start_afresh(self) -> bool:
        """Go on outside an exhausted Krylov space; False where nothing is outside."""
        known_MP = self.basis_MP[: self.n_steps]
        draws = torch_generator(0, "lanczos afresh", self.n_steps)
        fresh_P = torch.randn(known_MP.shape[1], generator=draws).to(known_MP)
        fresh_P = fresh_P / torch.linalg.vector_norm(fresh_P)
        for _ in range(2):
            fresh_P = fresh_P - known_MP.T @ (known_MP @ fresh_P)
        length = float(torch.linalg.vector_norm(fresh_P))
        if self.n_steps >= len(fresh_P) or length < 1e-4:
            return False
        self.current_P = fresh_P / length
        return True

    def krylov(self) -> Krylov:
        return Krylov(
            self.basis_MP[: self.n_steps],
            np.array(self.diagonal),
            np.array(self.off_diagonal),
        )
