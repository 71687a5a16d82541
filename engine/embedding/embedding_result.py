"""Maps as results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result

_LIMITS = (
    "A UMAP keeps who is near whom, not how far groups lie apart, how large they are or how dense; "
    "axes have no meaning, and another seed gives another picture of the same neighbourhoods. "
)


@dataclass(frozen=True)
class Embedding(Result):
    """One run's items or users in the plane."""

    kind: ClassVar[str] = "embedding"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "coordinates": ("point", "axis"),
        "ids": ("point",),
    }
    units: ClassVar[dict[str, str]] = {"coordinates": "none", "ids": "item or user id"}

    coordinates: np.ndarray
    """float32 [n, 2]."""
    ids: np.ndarray
    """Item or user ids int64 [n]."""
    points: str
    """What a point is: 'item' or 'user'."""
    trustworthiness: float
    """Share, roughly, of map neighbours that are true ones, 0 to 1 (Venna and Kaski, 2001)."""
    label: str = ""
    """The run's name."""

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        what = self.config.get("what", "factors").replace("_", " ")
        return (
            f"Each point is one {self.points}; points near each other have similar {what}. "
            f"Trustworthiness {self.trustworthiness:.3f} over "
            f"{self.config.get('n_neighbors', 0) - 1} neighbours (1: every neighbour in the map is "
            f"one in truth). {_LIMITS}"
        ).strip()

    def to_frame(self) -> pd.DataFrame:
        """One row a point: run, id, x, y."""
        return pd.DataFrame(
            {
                "run": self.label,
                "id": self.ids,
                "x": self.coordinates[:, 0],
                "y": self.coordinates[:, 1],
            }
        )


@dataclass(frozen=True)
class AlignedEmbeddings(Result):
    """Several runs' maps of the same items or users, made to lie on each other."""

    kind: ClassVar[str] = "aligned-embeddings"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "coordinates": ("run", "point", "axis"),
        "ids": ("point",),
        "trustworthiness": ("run",),
        "overlap": ("run", "run"),
        "moved": ("run", "point"),
        "moved_again": ("point",),
        "lost": ("run", "point"),
    }
    units: ClassVar[dict[str, str]] = {
        "coordinates": "none",
        "ids": "item or user id",
        "trustworthiness": "0 to 1",
        "overlap": "share of true neighbours in common, 0 to 1",
        "moved": "unit of the coordinates",
        "moved_again": "unit of the coordinates",
        "lost": "share of the first run's true neighbours, 0 to 1",
    }

    coordinates: np.ndarray
    ids: np.ndarray
    points: str
    labels: list[str]
    trustworthiness: np.ndarray
    overlap: np.ndarray
    """Mean share of each point's true neighbours, before any map, that two runs have in common."""
    moved: np.ndarray
    """Distance of each point from its place in the first run."""
    moved_again: np.ndarray = field(default_factory=lambda: np.empty(0))
    """The same for the first run's own second layout: how far points move by the layout alone."""
    lost: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """Share of each point's true neighbours in the first run that it does not have in each run,
    before any map; it has no floor. Empty, as above, in results made before it was measured."""

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        others = ", ".join(
            f"{label} {share:.0%}"
            for label, share in zip(self.labels[1:], self.overlap[0, 1:], strict=True)
        )
        return (
            f"The same {self.points}s in {len(self.labels)} runs, one map beside the other. True "
            f"neighbours in common with {self.labels[0]}: {others}. {self._floor} " + _LIMITS
        ).strip()

    @property
    def _floor(self) -> str:
        """How far points move where nothing but the layout differs."""
        if self.moved_again.size == 0:
            return "Two layouts of one run move points as well."
        moves = ", ".join(
            f"{label} {apart.mean():.2f}"
            for label, apart in zip(self.labels[1:], self.moved[1:], strict=True)
        )
        return (
            f"Points move by {moves} on average, and by {self.moved_again.mean():.2f} where "
            f"{self.labels[0]} itself is laid out twice: only moves well above that are the run's. "
            "Neighbours lost are counted before the map and have no such floor."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row for each run and point: run, id, x, y, moved, moved_again, neighbours_lost."""
        n_runs, n_points = self.moved.shape
        columns: dict[str, Any] = {
            "run": np.repeat(np.array(self.labels, dtype=object), n_points),
            "id": np.tile(self.ids, n_runs),
            "x": self.coordinates[:, :, 0].ravel(),
            "y": self.coordinates[:, :, 1].ravel(),
            "moved": self.moved.ravel(),
        }
        if self.lost.size:
            columns["moved_again"] = np.tile(self.moved_again, n_runs)
            columns["neighbours_lost"] = self.lost.ravel()
        return pd.DataFrame(columns)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every point, and one row a run: mean moved, floor (the first run laid out twice) and
        mean neighbours lost."""
        tables = {"": self.to_frame()}
        if self.lost.size:
            tables["runs"] = pd.DataFrame(
                {
                    "run": self.labels,
                    "moved": self.moved.mean(axis=1),
                    "floor": self.moved_again.mean(),
                    "neighbours_lost": self.lost.mean(axis=1),
                }
            )
        return tables
