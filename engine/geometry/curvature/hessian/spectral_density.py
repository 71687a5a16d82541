"""Trace and spectral density of a symmetric operator, from its products with vectors.

Legend: P parameters, M Lanczos steps or sketch vectors, N Ritz values, G grid points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.foundation.progress import Progress, silent
from engine.geometry.curvature.hessian.lanczos import Krylov, Matvec, lanczos_steps


@dataclass(frozen=True)
class TraceEstimate:
    """An unbiased estimate of a trace."""

    value: float
    standard_error: float
    """Of the mean over probes; 0 where the sketch holds the whole trace; NaN with one probe."""
    n_products: int


def hutch_plus_plus(
    matvec: Matvec,
    size: int,
    n_products: int,
    generator: torch.Generator,
    like: Tensor,
    krylov: Krylov | None = None,
    progress: Progress = silent,
) -> TraceEstimate:
    """Trace by Hutch++ (arXiv 2010.09649, algorithm 1): exact on a sketch's span, sampled outside.

    The sketch is the range of a third of the products on random signs, another third gives the
    trace on it; or, at no cost, the basis of a ``krylov`` decomposition made before (independent
    of the probes, so the estimate stays unbiased). What remains probes the complement with
    random signs. Where the sketch spans everything the result is exact.
    """
    used = 0
    if krylov is not None:
        basis_MP = krylov.basis_MP
        inside = float(np.trace(krylov.projected_MM))
    else:
        n_sketch = max(1, min(n_products // 3, size))
        images = [matvec(_signs(size, generator, like)) for _ in range(n_sketch)]
        basis_MP = torch.linalg.qr(torch.stack(images).T).Q.T.contiguous()
        inside = sum(float(q.double() @ matvec(q).double()) for q in basis_MP)
        used = 2 * n_sketch
    n_probes = max(n_products - used, 1)
    if len(basis_MP) >= size:
        return TraceEstimate(inside, 0.0, used)
    outside = np.empty(n_probes)
    for k in range(n_probes):
        progress(k / n_probes, f"trace, probe {k + 1}/{n_probes}")
        probe_P = _signs(size, generator, like)
        for _ in range(2):
            probe_P = probe_P - basis_MP.T @ (basis_MP @ probe_P)
        outside[k] = float(probe_P.double() @ matvec(probe_P).double())
    error = float(outside.std(ddof=1) / np.sqrt(n_probes)) if n_probes > 1 else float("nan")
    return TraceEstimate(inside + float(outside.mean()), error, used + n_probes)


def _signs(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
    signs_P = torch.randint(0, 2, (size,), generator=generator, dtype=torch.int8)
    return (signs_P * 2 - 1).to(like)


@dataclass(frozen=True)
class SpectralDensity:
    """A density of eigenvalues, as quadrature nodes and smoothed on a grid."""

    nodes_N: np.ndarray
    weights_N: np.ndarray
    """Share of all eigenvalues near each node; they sum to 1."""
    grid_G: np.ndarray
    density_G: np.ndarray
    """Integrates to 1 over ``grid_G``."""
    width: float
    """Standard deviation of the Gaussian each node is smoothed with."""
    n_products: int

    @property
    def mean(self) -> float:
        """Mean eigenvalue: an estimate of trace / P."""
        return float(self.nodes_N @ self.weights_N)


def spectral_density(
    matvec: Matvec,
    size: int,
    generator: torch.Generator,
    like: Tensor,
    n_probes: int = 1,
    n_steps: int = 40,
    n_points: int = 512,
    relative_width: float = 0.01,
    progress: Progress = silent,
) -> SpectralDensity:
    """Spectral density by stochastic Lanczos quadrature (arXiv 1901.10159, section 2).

    Each Gaussian probe gives Gauss quadrature nodes (Ritz values) and weights (squared first
    components); the density is their mixture, smoothed by Gaussians of ``relative_width`` of the
    spectrum's width.
    """
    nodes, weights = [], []
    used = 0
    for k in range(n_probes):
        progress(k / n_probes, f"spectral density, probe {k + 1}/{n_probes}")
        start_P = torch.randn(size, generator=generator).to(like)
        krylov = lanczos_steps(matvec, start_P, min(n_steps, size))
        used += len(krylov.basis_MP)
        values, vectors = krylov.ritz()
        nodes.append(values)
        weights.append(vectors[0] ** 2 / n_probes)
    nodes_N, weights_N = np.concatenate(nodes), np.concatenate(weights)
    spread = max(float(np.ptp(nodes_N)), 1e-3 * float(np.abs(nodes_N).max()), 1e-30)
    width = relative_width * spread
    grid_G = np.linspace(nodes_N.min() - 6 * width, nodes_N.max() + 6 * width, n_points)
    distances_GN = (grid_G[:, None] - nodes_N) / width
    density_G = np.exp(-0.5 * distances_GN**2) @ weights_N / (width * np.sqrt(2 * np.pi))
    return SpectralDensity(nodes_N, weights_N, grid_G, density_G, width, used)
