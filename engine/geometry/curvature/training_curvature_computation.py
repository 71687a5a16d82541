"""Measures curvature at weights kept along training: ``curvature_along_training``."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures import MEASURES
from engine.geometry.curvature.training_curvature_config import TrainingCurvatureConfig
from engine.geometry.curvature.training_curvature_result import TrainingCurvature
from engine.geometry.theta import Theta
from engine.training import Trained

FOLLOWED = (
    "top_eigenvalue",
    "invariant_top_eigenvalue",
    "invariant_gauss_newton_top_eigenvalue",
)
"""Measures that are followed over epochs."""


def curvature_along_training(
    trained: Trained,
    config: TrainingCurvatureConfig | None = None,
    progress: Progress = silent,
    *,
    snapshots: Sequence[Theta],
    epochs: Sequence[int],
) -> TrainingCurvature:
    """The followed measures at each of a run's kept weights, in order of ``epochs``.

    The run's own weights stay as they are. Raises ConfigError for no snapshots, or unequal numbers
    of snapshots and epochs.
    """
    config = config or TrainingCurvatureConfig()
    if not snapshots or len(snapshots) != len(epochs):
        raise ConfigError(
            f"{len(snapshots)} snapshots of {len(epochs)} epochs were given; curvature along "
            "training needs weights kept along it, one epoch each."
        )
    settings = CurvatureConfig(
        n_top=1, n_bottom=0, n_triples=config.n_triples, seed=config.seed,
        tolerance=config.tolerance, max_products=config.max_products,
    )  # fmt: skip
    chosen = np.unique(
        np.linspace(0, len(epochs) - 1, min(config.n_snapshots, len(epochs))).round().astype(int)
    )
    model = copy.deepcopy(trained.model)
    at_snapshot = dataclasses.replace(trained, model=model)
    values_MN = np.full((len(FOLLOWED), len(chosen)), np.nan)
    losses_N, norms_N, temperatures_N = np.full((3, len(chosen)), np.nan)
    unconverged: dict[str, None] = {}
    for n, index in enumerate(chosen):
        model.load_theta(snapshots[index])
        point = MeasurementPoint(at_snapshot, settings)
        point.progress = part(
            progress, n / len(chosen), (n + 1) / len(chosen), f"epoch {epochs[index]}, "
        )
        for m, name in enumerate(FOLLOWED):
            estimate = MEASURES[name].values(point).get(name)
            if estimate is not None:
                values_MN[m, n] = estimate.value
        losses_N[n] = point.whole_hessian.loss()
        norms_N[n] = float(point.gradient_P.double().norm())
        if point.temperature.value is not None:
            temperatures_N[n] = point.temperature.value
        unconverged |= dict.fromkeys(point.unconverged)
    progress(1.0, "curvature along training")
    return TrainingCurvature(
        label=trained.label,
        run=trained.run,
        measures=list(FOLLOWED),
        epochs_N=np.asarray(epochs)[chosen],
        values_MN=values_MN,
        losses_N=losses_N,
        gradient_norms_N=norms_N,
        temperatures_N=temperatures_N,
        unconverged=list(unconverged),
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": trained.dataset.fingerprint,
            "dataset_name": trained.dataset.name,
            "runs": [trained.run],
            "seed": trained.config.seed,
        },
    )
