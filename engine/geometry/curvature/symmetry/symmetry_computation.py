"""Measures every flatness measure on rewritten factors: ``measure_symmetry``."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from engine.foundation.progress import Progress, part, silent
from engine.geometry.curvature.curvature_computation import measure_all, why_unmeasured
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures import in_table_order
from engine.geometry.curvature.symmetry.symmetry_config import SymmetryConfig
from engine.geometry.curvature.symmetry.symmetry_result import Symmetry
from engine.geometry.curvature.symmetry.transformations import (
    Transformation,
    transformations,
    with_factors_as_weights,
)
from engine.training import Trained

TOLERANCE = 1e-4
"""Of eigenvalues, so that their errors stay far below the 1 % that counts."""


def measure_symmetry(
    trained: Trained, config: SymmetryConfig | None = None, progress: Progress = silent
) -> Symmetry:
    """How far each flatness measure moves when a run's factors are written down anew.

    The factor tables are taken as the weights, for every model, so that all five transformations
    can be made exactly; features act on them as on the model. Raises ConfigError where the dataset
    has no training pairs.
    """
    config = config or SymmetryConfig()
    started = time.perf_counter()
    settings = CurvatureConfig(
        n_triples=config.n_triples, seed=config.seed, n_bottom=0, tolerance=TOLERANCE,
        gauss_newton=True, n_draws=20, density_probes=0, per_block=False,
    )  # fmt: skip
    users, items = trained.factors()
    copies: list[Transformation | None] = [None, *transformations(items, config)]
    scores = _comparable_scores(users, items)
    estimates, changes = [], []
    notes: dict[str, None] = {}
    unconverged: dict[str, None] = {}
    for k, how in enumerate(copies):
        title = f"{how.name}, {how.parameter}, " if how else "as it is, "
        within = part(progress, k / len(copies), (k + 1) / len(copies), title)
        point = MeasurementPoint(with_factors_as_weights(trained, how), settings)
        estimates.append(measure_all(point, within))
        unconverged |= dict.fromkeys(point.unconverged)
        notes |= dict.fromkeys(why_unmeasured(point))
        there = _comparable_scores(*point.factors) / (how.temperature if how else 1.0)
        changes.append(float((there - scores).abs().max() / scores.abs().max().clamp_min(1e-30)))
    names = in_table_order(list(dict.fromkeys(name for each in estimates for name in each)))

    def table(attribute: str) -> np.ndarray:
        return np.array(
            [
                [getattr(each[name], attribute) if name in each else np.nan for each in estimates]
                for name in names
            ]
        )

    return Symmetry(
        label=trained.label,
        run=trained.run,
        transformations=[how.name if how else "none" for how in copies],
        parameters=[how.parameter if how else "" for how in copies],
        measures=names,
        values_MC=table("value"),
        errors_MC=table("standard_error"),
        score_changes_C=np.array(changes),
        unconverged=list(unconverged),
        notes=list(notes),
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": trained.dataset.fingerprint,
            "dataset_name": trained.dataset.name,
            "runs": [trained.run],
            "seconds": time.perf_counter() - started,
        },
    )


USERS = 512
"""Users whose scores are checked."""


def _comparable_scores(users_UD: Tensor, items_ID: Tensor) -> Tensor:
    """Scores of the first users, each user's less their mean: all that an order depends on."""
    scores_UI = users_UD[:USERS].double() @ items_ID.double().T
    return torch.as_tensor(scores_UI - scores_UI.mean(dim=1, keepdim=True))
