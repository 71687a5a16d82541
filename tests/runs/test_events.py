"""Events are only ever appended, survive a crash, and happen once after a resume."""

from __future__ import annotations

import json

import pytest
import torch

from engine.foundation.errors import RunError
from engine.runs import Run
from engine.training.recorder import Snapshot


def epochs(run: Run) -> list[int]:
    return [int(epoch) for epoch in run.events("epoch")["epoch"]]


def lines(run: Run) -> list[str]:
    return (run.path / "events.jsonl").read_text().splitlines()


def test_a_run_without_events_has_an_empty_table(run: Run) -> None:
    assert run.events().empty
    assert run.events("epoch").empty


def test_events_of_one_kind_have_only_their_columns(run: Run) -> None:
    run.event("epoch", {"epoch": 0, "loss": 1.0})
    run.event("diagnostics", {"norm": 2.0})
    assert list(run.events("diagnostics").columns) == ["kind", "time", "norm"]


def test_a_last_line_cut_short_is_left_out_and_then_overwritten(run: Run) -> None:
    run.event("epoch", {"epoch": 0})
    with open(run.path / "events.jsonl", "a") as log:
        log.write('{"kind": "epoch", "epo')
    again = Run(run.path)
    assert epochs(again) == [0]
    again.event("epoch", {"epoch": 1})
    assert epochs(again) == [0, 1]
    assert all(json.loads(line) for line in lines(run))


def test_a_file_of_only_half_a_line_starts_anew(run: Run) -> None:
    (run.path / "events.jsonl").write_text('{"kind": "ep' + "x" * 200_000)
    run.event("epoch", {"epoch": 0})
    assert epochs(run) == [0]


def test_a_broken_line_in_the_middle_is_named(run: Run) -> None:
    (run.path / "events.jsonl").write_text('{"kind": "a"}\nnot json\n{"kind": "b"}\n')
    with pytest.raises(RunError, match="line 2 is not a JSON object"):
        run.events()


def test_resuming_sets_aside_what_came_after_the_checkpoint(run: Run) -> None:
    with run.running():
        for epoch in range(3):
            run.event("epoch", {"epoch": epoch, "try": 1})
            if epoch < 2:
                run.save_checkpoint(Snapshot({"w": torch.zeros(1)}, {"epoch": epoch}))
    again = Run(run.path)
    with again.running():
        assert again.load_checkpoint() is not None
        for epoch in range(2, 4):
            again.event("epoch", {"epoch": epoch, "try": 2})
    assert epochs(run) == [0, 1, 2, 3]
    assert run.events("epoch")["try"].tolist() == [1, 1, 2, 2]
    assert len(lines(run)) == 6


def test_starting_over_without_a_checkpoint_sets_all_aside(run: Run) -> None:
    with run.running():
        run.event("epoch", {"epoch": 0})
    with run.running():
        assert run.load_checkpoint() is None
        run.event("epoch", {"epoch": 0})
    assert epochs(run) == [0]


def test_looking_at_a_checkpoint_from_outside_changes_nothing(run: Run) -> None:
    run.save_checkpoint(Snapshot({"w": torch.zeros(1)}, {}))
    run.event("epoch", {"epoch": 0})
    assert run.load_checkpoint() is not None
    assert epochs(run) == [0]
