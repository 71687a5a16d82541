"""Ways between two runs."""

import numpy as np
import pytest

from engine.evaluation import evaluate
from engine.foundation.errors import ConfigError
from engine.geometry import ModePath, ModePathConfig, frozen_triples, mode_path


def test_both_ways_start_and_end_at_the_runs_and_the_curve_is_lower(make_run, loss_of, tmp_path):
    first, second = make_run(seed=1), make_run(seed=2)
    before = first.model.theta()
    config = ModePathConfig(n_steps=150, learning_rate=0.02, n_points=11)
    path = mode_path([first, second], config)
    triples = frozen_triples(first.dataset)
    for losses in path.train_loss_CT:
        assert losses[0] == pytest.approx(float(loss_of(first, triples)))
        assert losses[-1] == pytest.approx(float(loss_of(second, triples)))
    assert path.train_loss_CT[1].mean() < path.train_loss_CT[0].mean()
    ends = [first.model, second.model]
    for place, model in zip((0, -1), ends, strict=True):
        found = evaluate(*model(first.features), first.dataset, "valid").means()
        for recalls in path.valid_recall_CT:
            assert recalls[place] == pytest.approx(found["recall@20"])
    middle = {n: (t + second.model.theta()[n]) / 2 for n, t in before.items()}
    assert path.train_loss_CT[0, 5] == pytest.approx(float(loss_of(first, triples, middle)))
    assert all((first.model.theta()[n] == t).all() for n, t in before.items())
    path.save(tmp_path / "path.npz")
    again = ModePath.load(tmp_path / "path.npz")
    np.testing.assert_array_equal(again.train_loss_CT, path.train_loss_CT)
    assert set(path.barriers) == {"straight line", "Bezier curve"}
    assert len(path.to_frame()) == 22


def test_runs_of_different_models_have_no_line_between_them(make_run):
    with pytest.raises(ConfigError, match="share no direction"):
        mode_path([make_run("vbpr"), make_run("bpr-mf")])


@pytest.mark.parametrize("count", [1, 3])
def test_a_path_needs_two_runs(make_run, count):
    with pytest.raises(ConfigError, match=f"{count} were given"):
        mode_path([make_run()] * count)
