"""The table of analyses: what each is called, and where its config, function and result are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.foundation.errors import JobError
from engine.foundation.result import Result

if TYPE_CHECKING:
    from engine.foundation.config import Config


@dataclass(frozen=True)
class Analysis:
    """Where an analysis lives, named so that nothing is imported before it is used."""

    module: str
    config: str
    function: str
    result: str
    compares: bool
    """Whether it takes several runs on shared ground, or one."""
    help: str
    demonstrated: Literal["all runs", "one seed", "no"] = "one seed"
    """Of which of its runs the demonstration computes it; one seed: a run of each strategy."""
    has_previews: bool = False
    """Whether its function takes ``preview``, called with partial results."""

    def config_class(self) -> type[Config]:
        """The config class that describes it."""
        return getattr(importlib.import_module(self.module), self.config)

    def load_function(self) -> Callable[..., Result]:
        """The function ``(runs or run, config, progress, **more) -> result``."""
        return getattr(importlib.import_module(self.module), self.function)

    def result_class(self) -> type[Result]:
        """The class of its results."""
        return getattr(importlib.import_module(self.module), self.result)


ANALYSES: dict[str, Analysis] = {
    "slice": Analysis(
        "engine.geometry",
        "SliceConfig",
        "loss_slice",
        "Slice",
        compares=True,
        help="loss-landscape slices of runs on shared directions",
        has_previews=True,
    ),
    "profile": Analysis(
        "engine.geometry",
        "ProfileConfig",
        "loss_profiles",
        "LossProfiles",
        compares=True,
        help="rise of the loss along each run's sharpest direction, on an axis nothing rescales",
    ),
    "path": Analysis(
        "engine.geometry",
        "ModePathConfig",
        "mode_path",
        "ModePath",
        compares=True,
        help="the straight line and a trained curve between the weights of two runs",
        demonstrated="no",
    ),
    "symmetry": Analysis(
        "engine.geometry",
        "SymmetryConfig",
        "measure_symmetry",
        "Symmetry",
        compares=False,
        help="which flatness measures move when a run's factors are written down differently",
        demonstrated="no",
    ),
    "sharpening": Analysis(
        "engine.geometry",
        "TrainingCurvatureConfig",
        "curvature_along_training",
        "TrainingCurvature",
        compares=False,
        help="top eigenvalues of a run by epoch, from weights kept along its training",
        demonstrated="no",
    ),
    "curvature": Analysis(
        "engine.geometry.curvature",
        "CurvatureConfig",
        "curvature",
        "Curvature",
        compares=False,
        help="Hessian eigenvalues and flatness of a run",
        demonstrated="all runs",
    ),
    "robustness": Analysis(
        "engine.robustness",
        "CurveConfig",
        "robustness_curves",
        "RobustnessCurves",
        compares=True,
        help="accuracy of runs under perturbations of growing strength",
        demonstrated="all runs",
    ),
    "attacks": Analysis(
        "engine.robustness.standard",
        "StandardAttackConfig",
        "standard_attacks",
        "StandardAttacks",
        compares=True,
        help="accuracy of runs under the worst of a standard set of attacks, and what they rely on",
        demonstrated="no",
    ),
    "embed": Analysis(
        "engine.embedding",
        "EmbeddingConfig",
        "embed",
        "Embedding",
        compares=False,
        help="UMAP of what a run learnt about items or users",
        demonstrated="no",  # the aligned maps show every run already
    ),
    "align": Analysis(
        "engine.embedding",
        "AlignedConfig",
        "aligned_embeddings",
        "AlignedEmbeddings",
        compares=True,
        help="UMAPs of several runs, aligned so that they can be compared",
    ),
}
"""Every analysis by task name."""


def known_analysis(kind: str) -> Analysis:
    """The analysis of that name; raises JobError naming what there is."""
    if kind not in ANALYSES:
        raise JobError(f"'{kind}' is not an analysis; there are {', '.join(ANALYSES)}.")
    return ANALYSES[kind]
