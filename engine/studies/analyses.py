"""Making runs, and analysing them as tasks."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import ConfigError, JobError
from engine.foundation.progress import Progress, part
from engine.foundation.result import Result
from engine.runs import Run, RunStore
from engine.runs.provenance import provenance_of
from engine.studies.previews import previewed

if TYPE_CHECKING:
    from engine.foundation.config import Config
    from engine.training import TrainConfig, Trained


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
    is_demonstrated: bool = True
    """Whether the demonstration computes it too."""
    has_previews: bool = False
    """Whether its function takes ``preview``, to show what it has found so far."""

    def config_class(self) -> type[Config]:
        """The config class that describes it."""
        found: type[Config] = getattr(importlib.import_module(self.module), self.config)
        return found

    def result_class(self) -> type[Result]:
        """The class of its results."""
        found: type[Result] = getattr(importlib.import_module(self.module), self.result)
        return found


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
    "path": Analysis(
        "engine.geometry",
        "ModePathConfig",
        "mode_path",
        "ModePath",
        compares=True,
        help="the straight line and a trained curve between the weights of two runs",
        is_demonstrated=False,
    ),
    "symmetry": Analysis(
        "engine.geometry",
        "SymmetryConfig",
        "measure_symmetry",
        "Symmetry",
        compares=False,
        help="which flatness measures move when a run's factors are written down differently",
        is_demonstrated=False,
    ),
    "curvature": Analysis(
        "engine.geometry.curvature",
        "CurvatureConfig",
        "curvature",
        "Curvature",
        compares=False,
        help="Hessian eigenvalues and flatness of a run",
    ),
    "robustness": Analysis(
        "engine.robustness",
        "CurveConfig",
        "robustness_curves",
        "RobustnessCurves",
        compares=True,
        help="accuracy of runs under perturbations of growing strength",
    ),
    "embed": Analysis(
        "engine.embedding",
        "EmbeddingConfig",
        "embed",
        "Embedding",
        compares=False,
        help="UMAP of what a run learnt about items or users",
        is_demonstrated=False,  # the aligned maps show every run already
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


def create_run(
    store: RunStore,
    dataset: str,
    config: TrainConfig,
    name: str = "",
    label: str = "",
    command: list[str] | None = None,
) -> Run:
    """A queued run of ``config`` on the dataset at a path (or 'sample', 'synthetic:...').

    Raises DataError where the dataset cannot be read.
    """
    from engine.runs.opened import cached_dataset

    source = dataset
    if not dataset.startswith(("sample", "synthetic:")):
        source = os.path.abspath(os.path.expanduser(dataset))
    read = cached_dataset(source)
    provenance = provenance_of(read, seed=config.seed, device=config.device, command=command)
    provenance["dataset"]["source"] = source
    return store.create(config.model_dump(mode="json"), provenance, name=name, label=label)


def analyse(
    store: RunStore, kind: str, params: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Run one analysis on ``params['runs']`` and keep its result in the first run's folder."""
    from engine.runs.opened import open_runs

    analysis = known_analysis(kind)
    runs = ordered(params["runs"])
    if not runs:
        raise JobError(f"{kind} needs at least one run; name one.")
    if len(runs) > 1 and not analysis.compares:
        raise JobError(f"{kind} looks at one run at a time, but {len(runs)} were named.")
    config = analysis.config_class().parse(params.get("config") or {})
    progress(0.0, "opening runs")
    opened = open_runs([store.get(run) for run in runs])
    if len({trained.dataset.fingerprint for trained in opened}) > 1:
        raise JobError("The runs were trained on different datasets; compare runs of one dataset.")
    function = getattr(importlib.import_module(analysis.module), analysis.function)
    subject = opened if analysis.compares else opened[0]
    more = _slice_inputs(store, opened, config) if kind == "slice" else {}
    key = result_key(runs, config.model_dump(mode="json"))
    with previewed(store, kind, key) as keep:
        if analysis.has_previews:
            more["preview"] = keep
        result: Result = function(subject, config, part(progress, 0.05, 1.0), **more)
        path = store.get(runs[0]).save_result(result, key)
    return {"runs": runs, "kind": kind, "key": key, "path": str(path)}


def _slice_inputs(store: RunStore, opened: Sequence[Trained], config: Any) -> dict[str, Any]:
    """What a slice needs beside the runs: weights kept along training, perturbed features."""
    inputs: dict[str, Any] = {}
    if config.needs_snapshots:
        inputs["snapshots"] = [store.get(trained.run).trajectory() for trained in opened]
        if not all(inputs["snapshots"]):
            raise JobError(
                "the training trajectory needs weights kept along it; train with snapshots_every "
                "set, e.g. to 2, or choose another direction and do not draw it."
            )
    if config.robust_quantities:
        from engine.robustness import FEATURE_PERTURBATIONS, perturb

        kind = FEATURE_PERTURBATIONS[config.perturbation].parse({})
        inputs["perturbed"] = [perturb(t, kind, config.strength, config.seed) for t in opened]
    return inputs


def __getattr__(name: str) -> Any:
    """The task of each analysis, as ``<kind>_task``; made from the table above."""
    kind = name.removesuffix("_task")
    if name.endswith("_task") and kind in ANALYSES:
        return lambda store, params, progress: analyse(store, kind, params, progress)
    raise AttributeError(name)


def known_analysis(kind: str) -> Analysis:
    """The analysis of that name; raises JobError naming what there is."""
    if kind not in ANALYSES:
        raise JobError(f"'{kind}' is not an analysis; there are {', '.join(ANALYSES)}.")
    return ANALYSES[kind]


def ordered(runs: Sequence[str]) -> list[str]:
    """Run ids without repeats, oldest first: the order in which compared runs are shown."""
    return sorted(set(runs))


def result_key(runs: Sequence[str], config: Mapping[str, Any]) -> str:
    """What a result is kept under: the same runs and settings give the same key."""
    text = json.dumps([ordered(runs), config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_result(
    store: RunStore, kind: str, runs: Sequence[str], config: Config | Mapping[str, Any]
) -> Result | None:
    """The kept result of an analysis of these runs with these settings, or None.

    Raises ConfigError where the settings are not valid.
    """
    analysis = known_analysis(kind)
    values = dict(config) if isinstance(config, Mapping) else config.model_dump(mode="json")
    checked = analysis.config_class().parse(values).model_dump(mode="json")
    names = ordered(runs)
    if not names:
        raise ConfigError(f"{kind} needs at least one run; choose one.")
    run, key = store.get(names[0]), result_key(names, checked)
    result_class = analysis.result_class()
    return run.load_result(result_class, key) if run.has_result(result_class.kind, key) else None
