"""A saved result comes back whole, or not at all."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from engine.foundation.errors import BasinError, ResultError
from engine.foundation.result import Result


@dataclass(frozen=True)
class Heights(Result):
    kind: ClassVar[str] = "heights"
    schema_version: ClassVar[int] = 2
    axes: ClassVar[dict[str, tuple[str, ...]]] = {"values": ("person",)}
    units: ClassVar[dict[str, str]] = {"values": "metre"}
    values: np.ndarray
    title: str = ""


@dataclass(frozen=True)
class Weights(Result):
    kind: ClassVar[str] = "weights"
    values: np.ndarray


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "heights.npz"
    Heights(np.array([1.7, 1.8]), "us", config={"a": 1}, provenance={"run": "x"}).save(path)
    return path


def test_a_result_comes_back_as_it_was(saved):
    back = Heights.load(saved)
    assert back.values.tolist() == [1.7, 1.8]
    assert (back.title, back.config, back.provenance) == ("us", {"a": 1}, {"run": "x"})


def test_numpy_alone_can_read_it(saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert archive["values"].tolist() == [1.7, 1.8]
        assert '"metre"' in str(archive["__meta__"])


def test_a_truncated_file_is_a_clear_error(saved):
    saved.write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(BasinError, match="not a whole result file"):
        Heights.load(saved)


def test_bytes_flipped_anywhere_are_one_error_or_leave_the_result_as_it_was(saved):
    whole = saved.read_bytes()
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        saved.write_bytes(bytes(damaged))
        try:
            back = Heights.load(saved)
        except ResultError:
            continue
        assert back.values.tolist() == [1.7, 1.8]


@pytest.mark.parametrize(
    ("arrays", "meta"),
    [
        ({}, {}),
        ({"values": np.zeros((2, 2))}, {}),
        ({"values": np.zeros(2)}, {"fields": [1]}),
        ({"values": np.zeros(2)}, {"schema_version": "new"}),
    ],
)
def test_a_missing_array_a_wrong_shape_or_description_is_one_error(saved, arrays, meta):
    described = {"kind": "heights", "schema_version": 1, "fields": {}} | meta
    np.savez(saved, __meta__=np.array(json.dumps(described)), **arrays)
    with pytest.raises(ResultError, match=r"not a whole result file .* compute it again"):
        Heights.load(saved)


def test_another_kind_is_refused(saved):
    with pytest.raises(BasinError, match="holds a 'heights' result, not 'weights'"):
        Weights.load(saved)


def test_a_newer_version_is_refused_and_left_alone(saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(Heights, "schema_version", 1)
    with pytest.raises(BasinError, match="newer Basin"):
        Heights.load(saved)
    assert saved.read_bytes() == before


def test_an_error_while_saving_leaves_the_old_file_and_no_other(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        Heights(np.zeros(3)).save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
