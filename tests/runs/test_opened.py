"""From a run folder back to a model: nothing is opened that would give meaningless numbers."""

from __future__ import annotations

import pytest

from engine.foundation.errors import BasinError
from engine.runs import RunStore
from engine.runs.opened import open_run, open_runs
from engine.training import preset

PLAIN = preset("plain").changed({"epochs": 1, "device": "cpu", "model.width": 4})


def saved_run(store: RunStore, tiny, seed: int, name: str):
    from engine.training import fit

    config = PLAIN.changed({"seed": seed})
    run = store.create(config.model_dump(mode="json"), {"seed": seed}, name=name)
    run.save_weights(fit(tiny, config).model.theta())
    return run


def test_weights_that_are_not_finite_are_refused(store: RunStore, tiny) -> None:
    run = saved_run(store, tiny, 0, "plain")
    weights = run.weights()
    name = next(iter(weights))
    weights[name].flatten()[0] = float("nan")
    run.save_weights(weights)
    with pytest.raises(BasinError, match=f"'{name}' hold values that are not finite"):
        open_run(run, tiny)


def test_runs_opened_together_know_their_strategy(store: RunStore, tiny, monkeypatch) -> None:
    monkeypatch.setattr("engine.runs.opened.dataset_of", lambda run: tiny)
    runs = [saved_run(store, tiny, seed, f"first of {seed}") for seed in (0, 1)]
    assert [each.strategy for each in open_runs(runs)] == ["first of 0"] * 2
