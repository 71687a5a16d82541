"""Loss and metric slices through weight space: what is asked for, and what comes back.

Legend: R runs (or planes), Q quantities, A and B grid points along the first and second direction,
N trajectory points, M marked points.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from engine.foundation.config import Config
from engine.foundation.result import Result
from engine.geometry.directions import Normalisation

DirectionKind = Literal[
    "random", "top_eigenvector", "bottom_eigenvector", "gradient", "trajectory", "difference"
]

PerturbationName = Literal[
    "gaussian", "uniform", "random", "mixing", "missing", "swap", "quantise", "precision", "fgsm",
    "pgd",
]  # fmt: skip
"""Perturbations of features; the robustness room has each one's meaning."""

QUANTITIES = re.compile(
    r"train_loss|valid_loss|robust_loss|train_objective"
    r"|(robust_)?(recall|ndcg|precision|map|hr)@[1-9][0-9]*"
)
"""Losses, and metrics at any k on the validation split; ``robust_`` is on perturbed features."""


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
    own weights, once, and kept as it is over the whole slice."""
    strength: float = Field(default=0.1, ge=0)
    """Strength of that perturbation, in the unit of its kind (gaussian, random, fgsm, pgd: length
    of a row's change over the row's length; swap, missing, mixing: a share)."""
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
    def kinds(self) -> tuple[DirectionKind, ...]:
        """The kinds of the directions in use."""
        return (self.first, self.second)[: self.dimensions]


def _none(*shape: int) -> np.ndarray:
    return np.zeros(shape)


@dataclass(frozen=True)
class Slice(Result):
    """Surfaces of several compared runs on shared directions, triples and axes.

    A line has one beta, 0. A slice along a difference holds one surface, through all its runs.
    """

    kind: ClassVar[str] = "slice"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "alphas_A": ("alpha",),
        "betas_B": ("beta",),
        "values_RQAB": ("run", "quantity", "alpha", "beta"),
        "centre_RQ": ("run", "quantity"),
        "cosines_R": ("run",),
        "marks_M2": ("mark", "coordinate"),
        "mark_values_MQ": ("mark", "quantity"),
        "trajectory_run_N": ("snapshot",),
        "trajectory_N2": ("snapshot", "coordinate"),
        "trajectory_loss_N": ("snapshot",),
        "trajectory_surface_N": ("snapshot",),
        "explained_variance_R2": ("run", "coordinate"),
    }
    units: ClassVar[dict[str, str]] = {
        "alphas_A": "lengths of the first direction",
        "betas_B": "lengths of the second direction",
        "values_RQAB": "losses in nats a triple, metrics from 0 to 1",
        "trajectory_loss_N": "nats a triple",
        "trajectory_surface_N": "nats a triple",
        "explained_variance_R2": "share of the trajectory's squared distance, 0 to 1",
    }

    alphas_A: np.ndarray
    betas_B: np.ndarray
    values_RQAB: np.ndarray
    """NaN where a preview has not been computed yet."""
    centre_RQ: np.ndarray
    """The quantities at each surface's origin, the run's own weights."""
    labels: list[str]
    """One name a surface."""
    runs: list[str]
    """Run ids, in the order of ``labels``; '' where a run has none."""
    quantities: list[str]
    directions: list[str]
    """What each direction is, in words."""
    shared: dict[str, str]
    """What the compared runs have in common, in words, for the figure."""
    is_exact: bool = False
    """Whether losses came from the quadratic in (alpha, beta) that affine models allow."""
    cosines_R: np.ndarray = field(default_factory=lambda: _none(0))
    """Cosine between the two directions of each surface's plane; empty on a line."""
    marks_M2: np.ndarray = field(default_factory=lambda: _none(0, 2))
    """Places of the runs on a plane that passes through them."""
    mark_labels: list[str] = field(default_factory=list)
    mark_values_MQ: np.ndarray = field(default_factory=lambda: _none(0, 0))
    """The quantities at the marked places."""
    trajectory_run_N: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Which surface each snapshot of weights belongs to; snapshots are in order of training."""
    trajectory_N2: np.ndarray = field(default_factory=lambda: _none(0, 2))
    """Each snapshot projected on the plane (the nearest point of it)."""
    trajectory_loss_N: np.ndarray = field(default_factory=lambda: _none(0))
    """True train loss at each snapshot, which does not lie in the plane."""
    trajectory_surface_N: np.ndarray = field(default_factory=lambda: _none(0))
    """Train loss of the surface at the projected place."""
    explained_variance_R2: np.ndarray = field(default_factory=lambda: _none(0, 2))
    """Share of the trajectory's squared distance from the run that each direction holds."""

    @property
    def dimensions(self) -> int:
        """1 for a line, 2 for a plane."""
        return 1 if len(self.betas_B) == 1 else 2

    def surface(self, quantity: str, run: int = 0) -> np.ndarray:
        """One run's values of a quantity: [A, B], or [A] on a line."""
        values_AB: np.ndarray = self.values_RQAB[run, self.quantities.index(quantity)]
        return values_AB if self.dimensions == 2 else values_AB[:, 0]

    def coarse(self, quantity: str) -> Self:
        """The grid lines on which a quantity is known for all runs; a whole slice as it is.

        For previews, whose finer points are still NaN; without points where none is known.
        """
        is_known_AB = np.isfinite(self.values_RQAB[:, self.quantities.index(quantity)]).all(axis=0)
        if is_known_AB.all():
            return self
        rows = is_known_AB.any(axis=1)
        columns = is_known_AB.any(axis=0)
        return replace(
            self,
            alphas_A=self.alphas_A[rows],
            betas_B=self.betas_B[columns],
            values_RQAB=self.values_RQAB[:, :, rows][:, :, :, columns],
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a run, quantity and grid point: run, label, quantity, alpha, beta, value."""
        r, q, a, b = np.indices(self.values_RQAB.shape).reshape(4, -1)
        return pd.DataFrame(
            {
                "run": np.array(self.runs, dtype=object)[r],
                "label": np.array(self.labels, dtype=object)[r],
                "quantity": np.array(self.quantities, dtype=object)[q],
                "alpha": self.alphas_A[a],
                "beta": self.betas_B[b],
                "value": self.values_RQAB.reshape(-1),
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        shape = "plane" if self.dimensions == 2 else "line"
        ways = self.directions
        if len(ways) == 2 and ways[0].startswith("random") and ways[1] == f"second {ways[0]}":
            ways = [f"two directions, each {ways[0]}"]
        quantities = ", ".join(quantity.replace("_", " ") for quantity in self.quantities)
        text = f"{quantities} on a {shape} through the weights: {'; '.join(ways)}. "
        shared = {name: how for name, how in self.shared.items() if name != "directions"}
        if shared:
            listed = "; ".join(f"{name}: {how}" for name, how in shared.items())
            text += f"{listed[:1].upper()}{listed[1:]}. "
        text += (
            "A slice shows one or two of very many directions: a flat picture does not prove a "
            "flat minimum, and flatness alone does not prove robustness."
        )
        if any(quantity.startswith("robust_") for quantity in self.quantities):
            text += (
                " The perturbation is not drawn or aimed anew away from each run's weights, where "
                "an attack may therefore be weaker than it could be."
            )
        if len(self.trajectory_run_N):
            shares = ", ".join(f"{x:.0%}" for x in self.explained_variance_R2.sum(axis=1))
            text += (
                f" The trajectory is a projection that holds {shares} of its squared distance; "
                "its points do not lie in the plane."
            )
        return text
