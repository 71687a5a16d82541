"""Loss and metric slices through weight space: what comes back.

Legend: R runs (or planes), Q quantities, A and B grid points along the first and second direction,
N trajectory points, M marked points.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from engine.foundation.result import Result
from engine.geometry.quantities import is_ranking_loss


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

    def trajectory_frame(self) -> pd.DataFrame:
        """One row a snapshot of weights: run, label, snapshot from 1, alpha, beta, true_loss,
        surface_loss (of the nearest point of the plane), difference.
        """
        of_run = self.trajectory_run_N
        names = self.labels if len(self.labels) > 1 else (self.mark_labels or self.labels)
        ids = self.runs if len(self.labels) > 1 else self.runs[0].split() or [""]
        counts = np.array([np.sum(of_run[:n] == r) + 1 for n, r in enumerate(of_run)], dtype=int)
        return pd.DataFrame(
            {
                "run": np.array(ids, dtype=object)[of_run],
                "label": np.array(names, dtype=object)[of_run],
                "snapshot": counts,
                "alpha": self.trajectory_N2[:, 0],
                "beta": self.trajectory_N2[:, 1],
                "true_loss": self.trajectory_loss_N,
                "surface_loss": self.trajectory_surface_N,
                "difference": self.trajectory_loss_N - self.trajectory_surface_N,
            }
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        walked = {"trajectory": self.trajectory_frame()} if len(self.trajectory_run_N) else {}
        return super().tables() | walked

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        shape = "plane" if self.dimensions == 2 else "line"
        ways = self.directions
        if len(ways) == 2 and ways[0].startswith("random") and ways[1] == f"second {ways[0]}":
            ways = [f"two directions, each {ways[0]}"]
        quantities = ", ".join(quantity.replace("_", " ") for quantity in self.quantities)
        text = f"{quantities} on a {shape} through the weights: {'; '.join(ways)}. "
        if self.is_exact and any(is_ranking_loss(quantity) for quantity in self.quantities):
            text += (
                "Ranking losses are exact at every point, up to rounding, since scores are "
                "quadratic in the weights. "
            )
        shared = {name: how for name, how in self.shared.items() if name != "directions"}
        if shared:
            listed = "; ".join(f"{name}: {how}" for name, how in shared.items())
            text += f"{listed[:1].upper()}{listed[1:]}. "
        text += (
            "A slice shows one or two of very many directions: a flat picture does not prove a "
            "flat minimum, and flatness alone does not prove robustness."
        )
        if len(self.cosines_R) and np.abs(self.cosines_R).max() > 0.1:
            listed = ", ".join(f"{c:.2f}" for c in self.cosines_R)
            text += f" The two directions are not at right angles: their cosine is {listed}."
        if any(quantity.startswith("robust_") for quantity in self.quantities):
            text += (
                " The perturbation is not drawn or aimed anew away from the weights it was fixed "
                "at, where an attack may therefore be weaker than it could be."
            )
        if len(self.trajectory_run_N):
            shares = ", ".join(
                " + ".join(f"{x:.0%}" for x in shares_2[: self.dimensions])
                for shares_2 in self.explained_variance_R2
            )
            gap = np.abs(self.trajectory_loss_N - self.trajectory_surface_N).max()
            text += (
                f" The trajectory is a projection that holds {shares} of its squared distance; "
                "its points do not lie in the plane, and their true losses differ from the "
                f"surface's by up to {gap:.2g}."
            )
        return text
