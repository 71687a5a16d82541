"""The curvature of a run's loss: eigenvalues, trace, spectral density and flatness measures.

Legend: K eigenvalues, G grid points, N quadrature nodes, M modalities, I items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from engine.foundation.config import Config
from engine.foundation.result import Result


class CurvatureConfig(Config):
    """What is computed about the curvature of the loss on frozen training triples."""

    n_top: int = Field(default=5, ge=1, le=50)
    """Largest Hessian eigenvalues."""
    n_bottom: int = Field(default=1, ge=0, le=20)
    """Smallest (most negative) Hessian eigenvalues; they lie dense and take the most products."""
    tolerance: float = Field(default=1e-3, gt=0, lt=1)
    """Relative error allowed on each top eigenvalue; ten times that on the bottom ones."""
    max_products: int = Field(default=300, ge=10)
    """Most Hessian-vector products for eigenvalues; what has not converged then says so."""
    loss: Literal["ranking", "objective"] = "ranking"
    """``ranking``: mean BPR loss; ``objective``: all that the run minimised, by batches of its own
    size, with the adversarial perturbation held constant as in training (slower)."""
    n_triples: int | None = Field(default=None, ge=1)
    """Frozen training triples; none for all training pairs."""
    per_block: bool = True
    """Also the top eigenvalue of each block: user table, item table, projection."""
    gauss_newton: bool = False
    """Also the top eigenvalue of the Gauss-Newton part, which leaves out the curvature of the
    scores themselves (ranking loss only)."""
    trace_products: int = Field(default=12, ge=0)
    """Hessian-vector products for the trace by Hutch++; 0 for none."""
    density_probes: int = Field(default=1, ge=0)
    """Random vectors for the spectral density; 0 for none."""
    density_steps: int = Field(default=40, ge=2, le=500)
    """Lanczos steps for each of them."""
    measures: bool = True
    """Also the flatness measures around the weights and their rescaling-invariant companions."""
    rho: float = Field(default=0.05, gt=0)
    """Radius of the ball for the worst loss, in L2 (0.05 in SAM, arXiv 2010.01412)."""
    adaptive_rho: float = Field(default=0.5, gt=0)
    """Radius of the adaptive ball, in units of the weights (0.5 in ASAM, arXiv 2102.11600)."""
    epsilon: float = Field(default=1e-3, gt=0)
    """Half-width of Keskar's box (1e-3 in arXiv 1609.04836)."""
    sigma: float = Field(default=0.01, gt=0)
    """Deviation of Gaussian weight noise, absolute."""
    relative_sigma: float = Field(default=0.1, gt=0)
    """Deviation of Gaussian weight noise, as a share of each weight's size."""
    n_draws: int = Field(default=5, ge=1)
    """Draws of weight noise."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples, starting vectors, probes and noise."""


@dataclass(frozen=True)
class Measure:
    """A flatness measure: what it is, and whether ``U -> cU, V -> V/c`` leaves it as it is."""

    description: str
    is_invariant: bool


MEASURES: dict[str, Measure] = {
    "top_eigenvalue": Measure("largest Hessian eigenvalue", False),
    "trace": Measure("sum of Hessian eigenvalues", False),
    "eigenvalue_ratio": Measure("largest over fifth largest eigenvalue", False),
    "gauss_newton_top_eigenvalue": Measure("largest Gauss-Newton eigenvalue", False),
    "box_sharpness": Measure("epsilon-sharpness of Keskar, percent", False),
    "ball_sharpness": Measure("worst loss in a ball of radius rho (SAM), above the loss", False),
    "noise_sharpness": Measure("mean loss under Gaussian weight noise, above the loss", False),
    "factor_top_eigenvalue": Measure("largest eigenvalue by the factors (U, V)", False),
    "adaptive_top_eigenvalue": Measure("largest eigenvalue of |theta| H |theta|", True),
    "adaptive_sharpness": Measure("worst loss in ASAM's ball, above the loss", True),
    "relative_noise_sharpness": Measure(
        "mean loss under noise relative to each weight, above the loss", True
    ),
    "balanced_top_eigenvalue": Measure(
        "largest eigenvalue by the factors after balancing U and V", True
    ),
    "input_sharpness_image": Measure("mean ||dL/dx_i|| over items, images", True),
    "input_sharpness_text": Measure("mean ||dL/dx_i|| over items, texts", True),
}
"""Every flatness measure a result may hold; larger is sharper."""


def _empty() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Curvature(Result):
    """The curvature of one run's loss at its weights."""

    kind: ClassVar[str] = "curvature"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "top_eigenvalues_K": ("eigenvalue",),
        "top_residuals_K": ("eigenvalue",),
        "bottom_eigenvalues_K": ("eigenvalue",),
        "bottom_residuals_K": ("eigenvalue",),
        "density_grid_G": ("grid",),
        "density_G": ("grid",),
        "density_nodes_N": ("node",),
        "density_weights_N": ("node",),
        "input_sharpness_MI": ("modality", "item"),
    }
    units: ClassVar[dict[str, str]] = {
        "top_eigenvalues_K": "nats per squared unit of weight",
        "bottom_eigenvalues_K": "nats per squared unit of weight",
        "density_G": "share of eigenvalues per unit of eigenvalue",
        "input_sharpness_MI": "nats a triple per unit of feature",
    }

    label: str
    run: str
    n_parameters: int
    n_triples: int
    loss: float
    """Of the frozen triples, at the weights."""
    gradient_norm: float
    """L2; not zero at early-stopped weights, so these are not exactly minima."""
    top_eigenvalues_K: np.ndarray
    """Descending."""
    top_residuals_K: np.ndarray
    """``||H v - lambda v||`` of each unit eigenvector."""
    bottom_eigenvalues_K: np.ndarray
    """Ascending."""
    bottom_residuals_K: np.ndarray
    has_converged: bool
    """Whether all eigenvalues reached their tolerance."""
    trace: float | None
    trace_error: float | None
    """Standard error of ``trace``."""
    blocks: dict[str, float]
    """Top eigenvalue of each block's own Hessian."""
    measures: dict[str, float]
    """Flatness measures by the names of ``MEASURES``."""
    modalities: list[str]
    """Modalities of ``input_sharpness_MI``."""
    products: dict[str, int]
    """Hessian-vector products by what they were for."""
    seconds: dict[str, float]
    """Wall time by what it was for."""
    density_grid_G: np.ndarray
    density_G: np.ndarray
    density_nodes_N: np.ndarray
    density_weights_N: np.ndarray
    input_sharpness_MI: np.ndarray
    """``||dL / dx_i||_2`` of each modality and item."""

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: run, label, measure, value, is_invariant, description."""
        return pd.DataFrame(
            [
                {
                    "run": self.run,
                    "label": self.label,
                    "measure": name,
                    "value": value,
                    "is_invariant": MEASURES[name].is_invariant,
                    "description": MEASURES[name].description,
                }
                for name, value in self.measures.items()
            ]
        )

    def eigenvalue_frame(self) -> pd.DataFrame:
        """One row an eigenvalue: run, label, end (top or bottom), rank from 1, value, residual."""
        rows = []
        for end, values, residuals in (
            ("top", self.top_eigenvalues_K, self.top_residuals_K),
            ("bottom", self.bottom_eigenvalues_K, self.bottom_residuals_K),
        ):
            for rank, (value, residual) in enumerate(zip(values, residuals, strict=True), 1):
                rows.append((self.run, self.label, end, rank, float(value), float(residual)))
        return pd.DataFrame(rows, columns=["run", "label", "end", "rank", "eigenvalue", "residual"])

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        text = (
            f"Hessian of the loss at the weights of {self.label or self.run or 'the run'}, on "
            f"{self.n_triples:,} frozen training triples and {self.n_parameters:,} parameters; "
            f"gradient norm {self.gradient_norm:.2g}. "
        )
        if not self.has_converged:
            text += "Some eigenvalues had not converged when the products ran out. "
        return text + (
            "U -> cU, V -> V/c changes raw eigenvalues at will and no score, so compare runs by "
            "the rescaling-invariant measures; and flatness alone does not prove robustness."
        )
