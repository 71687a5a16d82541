"""A run folder keeps what it is given and tells the truth about its state."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from engine.foundation.errors import BasinError, Cancelled, DataError, ResultError, RunError
from engine.foundation.result import Result
from engine.runs import Run, RunStore
from engine.training.recorder import Snapshot


@dataclass(frozen=True)
class Curve(Result):
    kind: ClassVar[str] = "curve"
    values: np.ndarray


def test_a_new_run_is_queued_and_keeps_config_and_provenance(run: Run) -> None:
    assert run.state == "queued"
    assert run.config == {"model": {"name": "vbpr", "width": 64}, "seed": 3}
    assert run.provenance["dataset"]["fingerprint"] == "00ff"
    assert run.name == "first try"
    assert run.summary == {}
    assert not run.has_weights
    assert not run.has_checkpoint


def test_leaving_running_normally_ends_it_as_finished(run: Run) -> None:
    with run.running():
        assert run.state == "running"
        assert run.status.owner is not None
        assert run.status.owner.is_here
    assert run.state == "finished"
    assert run.status.is_over
    assert (run.status.seconds or 0) >= 0


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Cancelled("stop"), "cancelled", "stop"),
        (DataError("the file is empty"), "failed", "the file is empty"),
        (ValueError("odd"), "failed", "ValueError: odd"),
        (KeyboardInterrupt(), "interrupted", "Its process was asked to stop."),
    ],
)
def test_every_other_way_out_leaves_its_state_and_reason(
    run: Run, error: BaseException, state: str, reason: str
) -> None:
    with pytest.raises(type(error)), run.running():
        raise error
    assert (run.state, run.status.reason) == (state, reason)


def test_a_diverged_run_stays_diverged(run: Run) -> None:
    with run.running():
        run.end("diverged", "the loss was not finite in epoch 3")
    assert run.state == "diverged"


def test_a_run_cannot_be_started_twice_in_one_process(run: Run, store: RunStore) -> None:
    with (
        run.running(),
        pytest.raises(RunError, match="already being worked on by process"),
        store.get(run.id).running(),
    ):
        pass
    assert run.state == "finished"


def test_a_run_can_be_started_again_after_it_ended(run: Run) -> None:
    for _ in range(2):
        with run.running():
            pass
    assert run.state == "finished"


def test_a_run_that_stopped_can_wait_again_and_one_at_work_or_done_cannot(run: Run) -> None:
    with run.running():
        run.queue()
        assert run.state == "running"
    run.queue()
    assert run.state == "finished"
    run.end("failed", "no luck")
    run.queue()
    assert (run.state, run.status.reason, run.status.seconds) == ("queued", "", None)


def test_labels_change_one_at_a_time(run: Run) -> None:
    run.label(tags=["b", " a ", "b", ""], note="look here")
    run.label(star=True)
    assert run.labels == {
        "name": "first try",
        "note": "look here",
        "tags": ["a", "b"],
        "star": True,
    }
    run.label(name="")
    assert run.name == run.id


def test_two_who_label_one_run_meanwhile_lose_nothing(run: Run) -> None:
    for round_ in range(10):
        changes = [{"note": f"n{round_}"}, {"tags": [f"t{round_}"]}, {"name": f"name {round_}"}]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda change: Run(run.path).label(**change), changes))
        labels = run.labels
        assert (labels["note"], labels["name"]) == (f"n{round_}", f"name {round_}")
        assert labels["tags"] == [f"t{round_}"]


def test_weights_come_back_as_they_were(run: Run) -> None:
    shared = torch.randn(3, 2)
    weights = {"users": shared, "same": shared, "turned": shared.T, "one": torch.tensor(2.5)}
    run.save_weights(weights)
    loaded = run.weights()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_asking_for_weights_too_early_says_so(run: Run) -> None:
    with pytest.raises(RunError, match=r"no weights yet \(state: queued\)"):
        run.weights()


def test_damaged_weights_are_named(run: Run) -> None:
    run.save_weights({"users": torch.ones(50)})
    path = run.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(RunError, match="not a whole safetensors file"):
        run.weights()


def test_results_are_kept_by_kind_and_key(run: Run) -> None:
    run.save_result(Curve(np.arange(3.0)), "plain")
    run.save_result(Curve(np.arange(4.0)), "mg")
    assert run.results("curve") == ["plain", "mg"]
    assert run.results("slice") == []
    assert run.has_result("curve", "mg")
    assert np.array_equal(run.load_result(Curve, "mg").values, np.arange(4.0))
    with pytest.raises(BasinError, match="does not exist"):
        run.load_result(Curve, "amr")


def test_a_result_of_other_weights_is_not_shown(store: RunStore, run: Run) -> None:
    other = store.create({}, {})
    for each in (run, other):
        each.save_weights({"w": torch.zeros(2)})
    made_from = {each.id: each.weights_fingerprint for each in (run, other)}
    run.save_result(Curve(np.zeros(2), provenance={"weights": made_from}))
    assert run.load_result(Curve).values.tolist() == [0, 0]
    other.save_weights({"w": torch.ones(2)})
    with pytest.raises(ResultError, match=f"other weights than run {other.id} has now"):
        run.load_result(Curve)
    other.save_weights({"w": torch.zeros(2)})
    assert run.load_result(Curve).values.tolist() == [0, 0], "the very same weights again"


@pytest.mark.parametrize("key", ["", "../../x", "a/b", "x" * 300, "a b"])
def test_a_result_key_cannot_leave_the_folder(run: Run, key: str) -> None:
    with pytest.raises(RunError, match="cannot be named"):
        run.save_result(Curve(np.zeros(1)), key)


def test_a_run_is_a_recorder_and_the_summary_is_replaced_whole(run: Run) -> None:
    run.event("epoch", {"epoch": 0, "loss": np.float32(0.5), "valid": {"recall@20": 0.1}})
    run.save_checkpoint(Snapshot({"w": torch.ones(2)}, {"epoch": 0}))
    run.save_summary({"best_epoch": 3})
    run.save_summary({"best_epoch": 4, "test": {"recall@20": float("nan")}})
    assert run.summary == {"best_epoch": 4, "test": {"recall@20": None}}
    assert run.events()["valid.recall@20"].tolist() == [0.1]
    snapshot = run.load_checkpoint()
    assert snapshot is not None
    assert snapshot.values == {"epoch": 0}


def test_a_hand_edited_record_is_named_with_its_line(run: Run) -> None:
    (run.path / "status.json").write_text('{"state": "finished",\n oops}')
    with pytest.raises(RunError, match=r"status.json is not valid JSON.*line 2"):
        _ = run.state


def test_an_unknown_state_is_refused(run: Run) -> None:
    (run.path / "status.json").write_text('{"schema_version": 1, "state": "done"}')
    with pytest.raises(RunError, match="state is 'done'; allowed are queued"):
        _ = run.state


@pytest.mark.parametrize("record", ["config", "provenance", "labels", "status", "summary"])
def test_a_newer_record_is_refused_and_left_alone(run: Run, record: str) -> None:
    path = run.path / f"{record}.json"
    text = json.dumps({"schema_version": 99, "state": "finished", "new": 1})
    path.write_text(text)
    with pytest.raises(RunError, match="newer Basin"):
        _ = getattr(run, record)
    if record == "labels":
        with pytest.raises(RunError, match="newer Basin"):
            run.label(star=True)
    if record == "status":
        with pytest.raises(RunError, match="newer Basin"), run.running():
            pass
    assert path.read_text() == text


def test_a_folder_without_config_is_no_run(store: RunStore) -> None:
    (store.root / "x").mkdir(parents=True)
    with pytest.raises(RunError, match="holds no config"):
        Run(store.root / "x")
