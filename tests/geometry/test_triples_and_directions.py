"""Frozen triples and drawn directions are decided by the seed alone."""

import pytest
import torch

from engine.foundation.errors import ConfigError
from engine.geometry.directions.random_directions import normalise, random_direction
from engine.geometry.triples import frozen_triples


def test_equal_seeds_give_equal_triples_and_others_do_not(tiny):
    first, again = (frozen_triples(tiny, 100, seed=1) for _ in range(2))
    other = frozen_triples(tiny, 100, seed=2)
    for name in ("users", "positives", "negatives"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.positives, other.positives)


def test_triples_are_training_pairs_with_items_the_user_does_not_know(tiny):
    triples = frozen_triples(tiny)
    known = tiny.matrix("train").toarray()
    assert len(triples) == len(tiny.train)
    assert (known[triples.users, triples.positives] == 1).all()
    assert (known[triples.users, triples.negatives] == 0).all()


def test_an_impossible_number_of_triples_is_an_error(tiny):
    with pytest.raises(ConfigError, match="at least 1"):
        frozen_triples(tiny, 0)


def test_equal_seeds_give_equal_directions_in_any_precision(make_run):
    double, single = make_run(precision="float64"), make_run(precision="float32")
    first = random_direction(double.model, 5, 0)
    second = random_direction(single.model, 5, 0)
    other = random_direction(single.model, 5, 1)
    for name, d in first.items():
        assert torch.equal(d.float(), second[name])
    assert not torch.equal(second["users"], other["users"])


def test_filter_normalisation_gives_each_row_the_norm_of_its_weights(make_run):
    run = make_run()
    theta = run.model.theta()
    direction = normalise(random_direction(run.model, 0, 0, True), theta, "filter")
    for name, d in direction.items():
        rows = d.norm(dim=1) if d.ndim > 1 else d.norm()
        wanted = theta[name].norm(dim=1) if d.ndim > 1 else theta[name].norm()
        torch.testing.assert_close(rows, wanted)


def test_layer_normalisation_gives_each_tensor_the_norm_of_its_weights(make_run):
    run = make_run()
    theta = run.model.theta()
    direction = normalise(random_direction(run.model, 0, 0), theta, "layer")
    assert direction["users"].norm() == pytest.approx(theta["users"].norm())
    assert direction["bias"].norm() == 0


def test_without_normalisation_entries_are_standard_normal(make_run):
    run = make_run()
    raw = random_direction(run.model, 0, 0)
    assert normalise(raw, run.model.theta(), "none").keys() == raw.keys()
    assert float(raw["users"].std()) == pytest.approx(1.0, abs=0.1)
