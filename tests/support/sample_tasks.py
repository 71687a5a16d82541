"""Tasks that only tests use; named to every process through BASIN_EXTRA_TASKS."""

from __future__ import annotations

import os
import time
from typing import Any

from engine.foundation.errors import DataError
from engine.foundation.progress import Progress
from engine.runs import RunStore


def count(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Take ``steps`` steps of ``seconds`` each, noting each in the file ``trace`` if named.

    With ``gate``, none ends before that file is there.
    """
    del store
    steps = params.get("steps", 3)
    for step in range(steps):
        progress(step / steps, f"step {step}")
        if "trace" in params:
            with open(params["trace"], "a") as trace:
                trace.write(f"{step}\n")
        time.sleep(params.get("seconds", 0.0))
        while "gate" in params and not os.path.exists(params["gate"]):
            time.sleep(0.01)
    progress(1.0, "done")
    return {"steps": steps, "pid": os.getpid()}


def walk(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """A random walk kept as training is: a run with events, checkpoints and weights.

    At the step ``stays_at`` it stays until it is stopped.
    """
    import numpy as np
    import torch

    from engine.training.recorder import Snapshot

    run = store.get(params["run"]) if "run" in params else store.create(params, {"seed": 0})
    steps, position, first = params["steps"], torch.zeros(3, dtype=torch.float64), 0
    with run.running():
        snapshot = run.load_checkpoint()
        if snapshot is not None:
            position, first = snapshot.tensors["position"], snapshot.values["step"] + 1
        for step in range(first, steps):
            progress(step / steps, f"step {step}")
            position = position * 0.9 + torch.tensor(np.random.default_rng(step).normal(size=3))
            run.event("epoch", {"epoch": step, "loss": float(position.norm())})
            if step % 3 == 2:
                run.save_checkpoint(Snapshot({"position": position}, {"step": step}))
            while step == params.get("stays_at"):
                progress(step / steps, f"step {step}")
                time.sleep(0.05)
            time.sleep(params.get("seconds", 0.0))
        run.save_weights({"position": position})
    return {"run": run.id}


def fail(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Fail as ``how`` says."""
    del store, progress
    if params.get("how") == "user":
        raise DataError("the file is empty; give another")
    if params.get("how") == "exit":
        os._exit(3)
    raise ZeroDivisionError("division by\nzero")


def deaf(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Never look whether it should stop, in the middle of a run."""
    with store.create(params, {"seed": 0}).running():
        progress(0.5, "step 0")
        time.sleep(params["seconds"])
    return {}


def unserialisable(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return what JSON cannot hold."""
    del store, params, progress
    return {"thing": object()}


def environment(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """What the worker sees."""
    del store, params, progress
    import torch

    names = ("OMP_WAIT_POLICY", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    return {
        "threads": torch.get_num_threads(),
        "gpus": torch.cuda.device_count(),
        **{name: os.environ.get(name) for name in names},
    }
