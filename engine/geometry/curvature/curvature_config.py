"""What is asked about the curvature of a run's loss."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from engine.foundation.config import Config


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
    """Also the top eigenvalue of each block of parameters that the model names, e.g. users, items
    and projection."""
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
    """Also the flatness measures around the weights, and those that no rewriting of the factors
    moves."""
    score_rho: float = Field(default=0.5, gt=0)
    """Radius of the ball for the invariant worst loss: the root of the summed mean square changes
    of centred scores (see invariant_metric)."""
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

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        wanted = self.n_top + self.n_bottom
        if self.max_products < wanted:
            raise ValueError(
                f"max_products is {self.max_products}, but n_top and n_bottom ask for {wanted} "
                f"eigenvalues, which take at least {wanted} products; allow more, or ask for fewer"
            )
        return self
