from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.readers.parsing.feature_files import read_features
from engine.foundation.errors import DataError


def save_array(tmp_path: Path, x: object) -> Path:
    np.save(tmp_path / "x.npy", x)
    return tmp_path / "x.npy"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_keep_their_precision(tmp_path, dtype):
    assert read_features(save_array(tmp_path, np.ones((2, 3), dtype))).dtype == dtype


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", ">f4"])
def test_other_numbers_become_float32(tmp_path, dtype):
    x = np.array([[0, 1], [1, 1]], dtype)
    features = read_features(save_array(tmp_path, x), memory_map=True)
    assert features.dtype == np.dtype("float32")
    np.testing.assert_array_equal(features, x.astype(float))


def test_column_major_files_are_read_in_row_order(tmp_path):
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    features = read_features(save_array(tmp_path, x))
    np.testing.assert_array_equal(features, x)
    assert features.flags.c_contiguous


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"x.npy .*pickled objects, which Basin never loads"):
        read_features(path)


@pytest.mark.parametrize("kept", [0, 5, 60, 150])
def test_a_file_that_was_cut_short_is_refused(tmp_path, kept):
    path = save_array(tmp_path, np.zeros((8, 8)))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"x.npy is not a whole .npy file"):
        read_features(path)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(4), r"shape \(4,\); \[n_items, width\]"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.zeros((2, 0)), r".*"),
        (np.array([["a"]]), "floating numbers are needed"),
        (np.zeros((1, 1), complex), "floating numbers are needed"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(tmp_path, x, message):
    with pytest.raises(DataError, match=message):
        read_features(save_array(tmp_path, x))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("memory_map", [True, False])
def test_values_that_are_not_finite_are_named_with_their_row(tmp_path, value, memory_map):
    x = np.zeros((5000, 2), np.float32)
    x[4500, 1] = value
    with pytest.raises(DataError, match=rf"x.npy, row 4500, column 1 is {value}"):
        read_features(save_array(tmp_path, x), memory_map)


def test_an_archive_of_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    with pytest.raises(DataError, match="archive"):
        read_features(tmp_path / "x.npy")


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.integers(0, 140), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused_in_words(tmp_path: Path, damage):
    path = save_array(tmp_path, np.ones((4, 3), np.float32))
    content = bytearray(path.read_bytes())
    for position, value in damage:
        content[position] = value
    path.write_bytes(bytes(content))
    with contextlib.suppress(DataError):
        assert np.isfinite(read_features(path)).all()
