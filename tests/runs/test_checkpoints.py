"""The newest whole checkpoint is always found, whatever happened to a newer one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.foundation.errors import RunError
from engine.runs import Run
from engine.training.recorder import Snapshot


def snapshot(epoch: int) -> Snapshot:
    return Snapshot(
        {"w": torch.full((64,), float(epoch)), "empty": torch.zeros(0, 3)},
        {"epoch": epoch, "best": -math.inf, "nested": {"counts": [1, 2]}},
    )


def newest(run: Run) -> Path:
    return sorted((run.path / "checkpoint").iterdir())[-1]


def test_there_is_none_at_first(run: Run) -> None:
    assert run.load_checkpoint() is None


def test_tensors_and_values_come_back_exactly(run: Run) -> None:
    run.save_checkpoint(snapshot(3))
    loaded = run.load_checkpoint()
    assert loaded is not None
    assert loaded.values == snapshot(3).values
    assert torch.equal(loaded.tensors["w"], snapshot(3).tensors["w"])
    assert loaded.tensors["empty"].shape == (0, 3)


def test_the_newest_two_are_kept(run: Run) -> None:
    for epoch in range(5):
        run.save_checkpoint(snapshot(epoch))
    assert sorted(path.name for path in (run.path / "checkpoint").iterdir()) == ["000004", "000005"]
    loaded = run.load_checkpoint()
    assert loaded is not None
    assert loaded.values["epoch"] == 4


def truncate(folder: Path) -> None:
    path = folder / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def flip_a_bit(folder: Path) -> None:
    path = folder / "tensors.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut_values(folder: Path) -> None:
    path = folder / "values.json"
    path.write_text(path.read_text()[:20])


def lose_tensors(folder: Path) -> None:
    (folder / "tensors.safetensors").unlink()


DAMAGES = [truncate, flip_a_bit, cut_values, lose_tensors]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_noticed_and_the_one_before_used(
    run: Run, damage: Callable[[Path], None]
) -> None:
    run.save_checkpoint(snapshot(1))
    run.save_checkpoint(snapshot(2))
    damage(newest(run))
    loaded = run.load_checkpoint()
    assert loaded is not None
    assert loaded.values["epoch"] == 1
    run.save_checkpoint(snapshot(3))
    assert (run.load_checkpoint() or snapshot(0)).values["epoch"] == 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_whole_one_the_error_says_what_to_do(
    run: Run, damage: Callable[[Path], None]
) -> None:
    run.save_checkpoint(snapshot(1))
    damage(newest(run))
    with pytest.raises(RunError, match="Delete that folder to train from the start"):
        run.load_checkpoint()


def test_a_half_written_one_is_not_seen(run: Run) -> None:
    run.save_checkpoint(snapshot(1))
    (run.path / "checkpoint" / ".000002.77.abcd.partial").mkdir()
    loaded = run.load_checkpoint()
    assert loaded is not None
    assert loaded.values["epoch"] == 1


def test_a_newer_version_is_refused_and_left_alone(run: Run) -> None:
    run.save_checkpoint(snapshot(1))
    path = newest(run) / "values.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    before = path.read_bytes()
    with pytest.raises(RunError, match="newer Basin"):
        run.load_checkpoint()
    assert path.read_bytes() == before
