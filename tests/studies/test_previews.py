"""What a slice under way has found so far."""

import numpy as np
import pytest

from engine.foundation.errors import Cancelled
from engine.geometry import Slice
from engine.runs import RunStore
from engine.studies.analysis_results import find_result
from engine.studies.new_run import create_run
from engine.studies.previews import find_preview
from engine.studies.run_analysis import run_analysis
from engine.studies.trainings import train
from engine.training import preset

DATA = "synthetic:users=40,items=30,interactions=500,image=6,text=4"
CONFIG = {"n_points": 9, "quantities": ["train_loss", "recall@5"], "radius": 0.5}


def silent(share, message=""):
    del share, message


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    for name in ("plain", "mg"):
        config = preset(name, {"epochs": 2, "batch_size": 128, "device": "cpu", "model.width": 4})
        train(store, {"run": create_run(store, DATA, config, name).id}, silent)
    return store


@pytest.fixture(scope="module")
def runs(store):
    return sorted(store.list()["id"])


def test_a_slice_under_way_can_be_looked_at_and_its_preview_goes_with_the_job(store, runs):
    seen = []

    def watch(share, message=""):
        preview = find_preview(store, "slice", runs, CONFIG)
        if preview is not None:
            assert isinstance(preview, Slice)
            seen.append(np.isfinite(preview.values_RQAB[:, 1]).mean())

    assert find_preview(store, "slice", runs, CONFIG) is None
    run_analysis("slice", store, {"runs": runs, "config": CONFIG}, watch)
    assert 0 < len(set(seen)) <= 5
    assert seen == sorted(seen)
    assert 0 < seen[-1] < 1
    assert find_preview(store, "slice", runs, CONFIG) is None
    result = find_result(store, "slice", runs, CONFIG)
    assert isinstance(result, Slice)
    assert np.isfinite(result.values_RQAB).all()


def test_a_stopped_slice_leaves_neither_preview_nor_result(store, runs):
    config = CONFIG | {"seed": 1}

    def stop(share, message=""):
        if find_preview(store, "slice", runs, config) is not None:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run_analysis("slice", store, {"runs": runs, "config": config}, stop)
    assert find_preview(store, "slice", runs, config) is None
    assert find_result(store, "slice", runs, config) is None


def test_losses_that_come_all_at_once_have_no_preview(store, runs):
    config = {"n_points": 9, "radius": 0.5}
    seen = []

    def watch(share, message=""):
        seen.append(find_preview(store, "slice", runs, config))

    run_analysis("slice", store, {"runs": runs, "config": config}, watch)
    assert seen
    assert not any(seen)
