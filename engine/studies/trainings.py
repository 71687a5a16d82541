"""The task ``train``: one run, or several seeds of one config in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import BasinError, JobError
from engine.foundation.progress import Progress
from engine.runs import Run, RunStore
from engine.runs.ownership import Owner

if TYPE_CHECKING:
    from engine.training import Fit, TrainConfig


def train(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Train the run ``params['run']``, or the runs ``params['runs']`` at once.

    Each goes on from its checkpoint if it has one. Runs given together differ in their seed alone.
    Returns ``run``, ``folder``, ``state``, ``best_epoch``, ``valid``, ``test``, ``selected_by`` of
    one run; of several, those under ``runs``. Raises what training raises, JobError for several
    runs of which some failed, once the others are done.
    """
    several = "runs" in params
    runs = [store.get(run) for run in (params["runs"] if several else [params["run"]])]
    try:
        ended = _train_together(runs, progress)
    finally:
        if "group" in params:
            from engine.studies.demonstration import submit_analyses

            submit_analyses(store, params["group"])
    errors = [outcome for outcome in ended if isinstance(outcome, BasinError)]
    if errors and not several:
        raise errors[0]
    if errors:
        raise JobError(f"{len(errors)} of {len(runs)} seeds failed; the first: {errors[0]}")
    results = [outcome for outcome in ended if isinstance(outcome, dict)]
    return {"runs": results} if several else results[0]


def _train_together(runs: Sequence[Run], progress: Progress) -> list[dict[str, Any] | BasinError]:
    """What each run's training came to; the runs' folders say the same."""
    from engine.runs.opened import dataset_of
    from engine.training import TrainConfig
    from engine.training.seeds import fits_and_errors

    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.running())
        configs = [TrainConfig.parse(run.config) for run in runs]
        seeds = [config.seed for config in configs]
        _check_alike(runs, configs)
        dataset = dataset_of(runs[0])
        outcomes = fits_and_errors(dataset, configs[0], seeds, runs, progress)
        ended: list[dict[str, Any] | BasinError] = []
        for run, outcome in zip(runs, outcomes, strict=True):
            try:
                if isinstance(outcome, BasinError):
                    raise outcome
                ended.append(_keep(run, outcome, len(runs)))
            except BasinError as error:
                run.end("failed", str(error))
                ended.append(error)
    return ended


def _keep(run: Run, fit: Fit, at_once: int) -> dict[str, Any]:
    """Write what training found into the run's folder, and end it."""
    summary = {
        "best_epoch": fit.best_epoch,
        "valid": fit.valid,
        "test": fit.test,
        "selected_by": f"valid {fit.config.selection}",
        "gradient_passes": fit.gradient_passes,
        "seconds": round(fit.seconds, 3),
        "seeds_at_once": at_once,
        "parameters": sum(p.numel() for p in fit.model.parameters()),
        "trained_on": _where(fit),
    }
    if fit.test_by_user is not None:
        run.save_result(fit.test_by_user)
    run.save_summary(summary)
    run.end(fit.state)
    return {"run": run.id, "folder": str(run.path), "state": fit.state, **summary}


def _where(fit: Fit) -> dict[str, str]:
    """What the numbers came from in truth: the config may say ``auto``, the worker be elsewhere."""
    import torch

    device = next(fit.model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return {"device": name, "host": Owner.here().host, "torch": torch.__version__}


def _check_alike(runs: Sequence[Run], configs: Sequence[TrainConfig]) -> None:
    """Raise JobError unless the runs have one dataset, and one config but for the seed."""
    fingerprints = {run.provenance.get("dataset", {}).get("fingerprint") for run in runs}
    alike = all(c.changed({"seed": configs[0].seed}) == configs[0] for c in configs)
    if len(fingerprints) > 1 or not alike:
        raise JobError(
            f"runs {', '.join(run.id for run in runs)} differ in more than their seed; train them "
            "one by one."
        )
