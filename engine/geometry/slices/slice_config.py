"""What is asked of a slice: directions, range, quantities, triples."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from engine.foundation.config import Config
from engine.geometry.directions.random_directions import Normalisation
from engine.geometry.quantities import QUANTITIES

DirectionKind = Literal[
    "random", "top_eigenvector", "bottom_eigenvector", "gradient", "trajectory", "difference"
]

PerturbationName = Literal[
    "gaussian", "uniform", "random", "mixing", "missing", "swap", "quantise", "precision", "fgsm",
    "pgd",
]  # fmt: skip
"""Perturbations of features; the robustness room has each one's meaning."""


class SliceConfig(Config):
    """A line or plane through the weights, and what is measured on it."""

    dimensions: int = Field(default=2, ge=1, le=2)
    """1 for a line along the first direction, 2 for a plane."""
    first: DirectionKind = "random"
    """First direction: random Gaussian; the Hessian's top or bottom eigenvector (bottom: most
    negative curvature); the loss gradient; the main axis of the training trajectory; or the
    difference to the second run, at which 1 is that run."""
    second: DirectionKind = "random"
    """Second direction of a plane. The same kind twice gives the next of its kind: another draw,
    the second eigenvector, the second main axis, the difference to the third run."""
    normalisation: Normalisation = "filter"
    """Length of random directions: ``filter`` gives each row of a table or projection the norm of
    the same row of the weights (arXiv 1712.09913, section 4), ``layer`` each tensor, ``none``
    leaves standard normal entries. Other directions keep their meaning: eigenvectors, gradients
    and trajectory axes have length 1, a difference the distance between the runs."""
    scale_to: Literal["own", "first"] = "own"
    """Whose weights give that length where runs are compared: each run's own (so that a rescaled
    network looks the same) or the first run's (so that all move by identical vectors)."""
    include_biases: bool = False
    """Whether random directions also move biases and other 1-D parameters."""
    radius: float | None = Field(default=None, gt=0)
    """Half-width of both axes, in direction lengths; none finds, for each axis, where the train
    loss of the compared runs has doubled on average. A difference axis runs from -0.5 to 1.5, a
    trajectory axis as far as the trajectories go."""
    n_points: int = Field(default=25, ge=3, le=401)
    """Grid points along each axis; odd, so that the weights themselves are on the grid."""
    quantities: tuple[str, ...] = Field(default=("train_loss", "valid_loss"), min_length=1)
    """What is measured: train_loss, valid_loss, robust_loss (train triples, perturbed features),
    train_objective (with regulariser and adversarial term), and recall@k, ndcg@k, precision@k,
    map@k, hr@k on the validation split, or with ``robust_`` before them on perturbed features."""
    perturbation: PerturbationName = "gaussian"
    """What hits the features that the ``robust_`` quantities read: drawn, or found at each run's
    own weights (the first run's on a plane through several), once, and kept over the slice."""
    strength: float = Field(default=0.1, ge=0)
    """Strength of that perturbation, in the unit of its kind (gaussian, random, fgsm, pgd: length
    of a row's change over the row's length; swap, missing, mixing: a share)."""
    draw_trajectory: bool = False
    """Also draw the way training took, projected on the slice, where weights were kept along it;
    along a trajectory direction it always is drawn."""
    n_triples: int | None = Field(default=50_000, ge=1)
    """Frozen triples a loss is averaged over; none for all pairs of the split."""
    n_users: int | None = Field(default=1_000, ge=1)
    """Users a metric is averaged over, drawn once; none for all with validation items."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides directions, triples and users."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.n_points % 2 == 0:
            raise ValueError(f"n_points is {self.n_points}; it must be odd, e.g. 25 or 51")
        if self.kinds == ("gradient", "gradient"):
            raise ValueError("first and second are both 'gradient', but a run has one gradient")
        for quantity in self.quantities:
            if not QUANTITIES.fullmatch(quantity):
                raise ValueError(
                    f"quantities holds '{quantity}'; allowed are train_loss, valid_loss, "
                    "robust_loss, train_objective, and recall@k, ndcg@k, precision@k, map@k, hr@k, "
                    "also with robust_ before them"
                )
        return self

    @property
    def robust_quantities(self) -> tuple[str, ...]:
        """The quantities that read perturbed features."""
        return tuple(q for q in self.quantities if q.startswith("robust_"))

    @property
    def needs_snapshots(self) -> bool:
        """Whether it takes weights kept along training."""
        return self.draw_trajectory or "trajectory" in self.kinds

    @property
    def kinds(self) -> tuple[DirectionKind, ...]:
        """The kinds of the directions in use."""
        return (self.first, self.second)[: self.dimensions]
