"""Every analysis as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import JobError
from engine.foundation.progress import Progress, part
from engine.runs import RunStore
from engine.studies.analysis_results import result_key, run_order
from engine.studies.analysis_table import known_analysis
from engine.studies.previews import preview_writer
from engine.studies.twin_runs import open_plain_twins

if TYPE_CHECKING:
    from engine.training import Trained


def run_analysis(
    kind: str, store: RunStore, params: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Run one analysis on ``params['runs']`` and keep its result in the first run's folder.

    Returns ``runs``, ``kind``, and the ``key`` and ``path`` of the result. Raises JobError where
    the runs are not what the analysis takes, and whatever it raises.
    """
    from engine.runs.opened import open_runs

    analysis = known_analysis(kind)
    runs = run_order(params["runs"])
    if not runs:
        raise JobError(f"{kind} needs at least one run; name one.")
    if len(runs) > 1 and not analysis.compares:
        raise JobError(f"{kind} looks at one run at a time, but {len(runs)} were named.")
    config = analysis.config_class().parse(params.get("config") or {})
    progress(0.0, "opening runs")
    folders = [store.get(run) for run in runs]
    weights = {run.id: run.weights_fingerprint for run in folders}
    opened = open_runs(folders)
    if len({trained.dataset.fingerprint for trained in opened}) > 1:
        raise JobError("The runs were trained on different datasets; compare runs of one dataset.")
    subject = opened if analysis.compares else opened[0]
    more = INPUTS[kind](store, opened, config) if kind in INPUTS else {}
    key = result_key(runs, config.model_dump(mode="json"))
    with preview_writer(store, kind, key) as write_preview:
        if analysis.has_previews:
            more["preview"] = write_preview
        result = analysis.load_function()(subject, config, part(progress, 0.05, 1.0), **more)
        result = replace(result, provenance=result.provenance | {"weights": weights})
        path = folders[0].save_result(result, key)
    return {"runs": runs, "kind": kind, "key": key, "path": str(path)}


def _snapshots(store: RunStore, opened: Sequence[Trained], config: Any) -> dict[str, Any]:
    """A run's weights kept along training, with their epochs."""
    del config
    run = store.get(opened[0].run)
    if not run.snapshot_epochs:
        raise JobError(
            f"{run.name or run.id} kept no weights along its training; train with snapshots_every "
            "set, e.g. to 2."
        )
    return {"snapshots": run.trajectory(), "epochs": run.snapshot_epochs}


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


def _attack_inputs(store: RunStore, opened: Sequence[Trained], config: Any) -> dict[str, Any]:
    """What the standard attacks need beside the runs: plainly trained twins to transfer from."""
    del config
    return {"twins": open_plain_twins(store, opened)}


INPUTS = {"slice": _slice_inputs, "sharpening": _snapshots, "attacks": _attack_inputs}
"""What analyses need beside the runs, as further arguments by name."""
