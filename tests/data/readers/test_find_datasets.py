from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.data import find_datasets, read_dataset
from engine.data.readers import builtin
from engine.foundation.errors import DataError


@pytest.fixture
def sample(tmp_path, monkeypatch, mmrec_folder) -> Path:
    """A sample_data folder that holds one small 'shop'."""
    samples = tmp_path / "sample_data"
    samples.mkdir()
    mmrec_folder().rename(samples / "shop")
    monkeypatch.setattr(builtin, "SAMPLES", samples)
    return samples / "shop"


@pytest.mark.parametrize("name", ["sample", "sample:shop"])
def test_the_sample_is_read_by_name(sample, name):
    dataset = read_dataset(name)
    assert (dataset.name, dataset.source) == (sample.name, name)


@pytest.mark.parametrize("name", ["sample:bakery", "sample:../sample_data/shop"])
def test_an_unknown_sample_is_refused_with_what_there_is(sample, name):
    with pytest.raises(DataError, match=f"has {sample.name}"):
        read_dataset(name)


def test_the_builtin_sample_lies_beside_the_package():
    assert Path(__file__).resolve().parents[3] / "sample_data" == builtin.SAMPLES


@pytest.mark.usefixtures("sample")
def test_every_dataset_folder_in_the_roots_is_listed_and_can_be_read(
    tmp_path, table_folder, amr_folder
):
    table_folder(), amr_folder()
    (tmp_path / "holiday").mkdir()
    (tmp_path / "notes.txt").write_text("")
    datasets = dict(find_datasets([tmp_path, tmp_path / "absent"]))
    assert list(datasets) == ["shop (built-in sample)", "fashion", "market"]
    for path in datasets.values():
        assert len(read_dataset(path)) > 0


def test_a_root_that_is_a_dataset_is_listed_itself(table_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "SAMPLES", tmp_path / "absent")
    folder = table_folder()
    assert find_datasets([folder]) == [("market", str(folder))]


def test_equal_names_are_told_apart_by_their_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "SAMPLES", tmp_path / "absent")
    for root in ("a", "b"):
        (tmp_path / root / "shop").mkdir(parents=True)
        (tmp_path / root / "shop" / "shop.inter").write_text("")
    labels = [label for label, _ in find_datasets([tmp_path / "a", tmp_path / "b"])]
    assert labels == [f"shop ({tmp_path / 'a'})", f"shop ({tmp_path / 'b'})"]


def test_default_roots_are_those_of_the_environment_and_beside_the_working_directory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(builtin, "SAMPLES", tmp_path / "absent")
    for folder in ("one/x", "two/y", "work/data/z", "shared/data/w"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "rating.txt").write_text("")
    monkeypatch.setenv(
        "BASIN_DATA", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")])
    )
    monkeypatch.chdir(tmp_path / "work")
    datasets = find_datasets()
    assert [label for label, _ in datasets] == ["x", "y", "z", "w"]
    assert all(Path(path).is_absolute() for _, path in datasets)


def test_what_is_no_dataset_is_refused_with_what_was_looked_for_and_found(tmp_path):
    (tmp_path / "ratings.dat").write_text("")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match=r"Looked for MMRec .*\.inter; AMR: .*Found pictures/, rat"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="not read alone"):
        read_dataset(tmp_path / "ratings.dat")
    with pytest.raises(DataError, match=r"absent does not exist.*'sample'"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(DataError, match="an empty folder"):
        read_dataset(tmp_path / "pictures")


def test_two_inter_files_without_the_folders_name_are_not_guessed_between(mmrec_folder):
    folder = mmrec_folder()
    content = (folder / "tiny.inter").read_text()
    (folder / "tiny.inter").unlink()
    for name in ("a.inter", "b.inter"):
        (folder / name).write_text(content)
    with pytest.raises(DataError, match="exactly one"):
        read_dataset(folder)


def test_a_relative_path_and_a_trailing_slash_name_the_same_dataset(mmrec_folder, monkeypatch):
    folder = mmrec_folder()
    monkeypatch.chdir(folder)
    assert read_dataset(".").name == read_dataset(f"{folder}/").name == "tiny"


def test_features_of_the_folder_are_not_confused_with_pickles(mmrec_folder):
    folder = mmrec_folder()
    np.save(folder / "user_graph_dict.npy", np.array({"a": 1}, dtype=object), allow_pickle=True)
    assert set(read_dataset(folder).features) == {"image", "text"}
