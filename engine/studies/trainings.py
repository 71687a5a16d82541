"""The task ``train``: one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.foundation.progress import Progress
from engine.runs import Run, RunStore
from engine.runs.ownership import Owner
from engine.studies.training_threads import threads_for

if TYPE_CHECKING:
    from engine.training import Fit


def train(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Train the run ``params['run']``, from its checkpoint if it has one.

    Returns ``run``, ``folder``, ``state``, ``best_epoch``, ``valid``, ``test``, ``selected_by``.
    Raises RunError where it has ended by itself before, and what training raises.
    """
    from engine.runs.opened import dataset_of
    from engine.training import TrainConfig, fit

    run = store.get(params["run"])
    try:
        with run.running(unless_done=True):
            config, dataset = TrainConfig.parse(run.config), dataset_of(run)
            start = store.get(config.start_from).weights() if config.start_from else None
            with threads_for(dataset, config):
                return _keep(run, fit(dataset, config, run, progress, start))
    finally:
        if "group" in params:
            from engine.studies.demonstration import submit_analyses

            submit_analyses(store, params["group"])


def _keep(run: Run, fit: Fit) -> dict[str, Any]:
    """Write the outcome of training into the run's folder, and end it."""
    summary = {
        "best_epoch": fit.best_epoch,
        "valid": fit.valid,
        "test": fit.test,
        "selected_by": fit.selected_by,
        "gradient_passes": fit.gradient_passes,
        "seconds": round(fit.seconds, 3),
        "parameters": sum(p.numel() for p in fit.model.parameters()),
        "trained_on": _trained_on(fit),
    }
    if fit.test_by_user is not None:
        run.save_result(fit.test_by_user)
    run.save_summary(summary)
    events = run.events("diverged")
    reason = str(events["reason"].iloc[-1]) if fit.state == "diverged" and len(events) else ""
    run.end(fit.state, reason)
    ended = {"run": run.id, "folder": str(run.path), "state": fit.state, "reason": reason}
    return ended | summary


def _trained_on(fit: Fit) -> dict[str, str]:
    """The device, host and torch that trained it, whatever ``auto`` stood for."""
    import torch

    device = next(fit.model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return {"device": name, "host": Owner.here().host, "torch": torch.__version__}
