"""The fast grid against softplus of every margin, in float64."""

import numpy as np
import pytest
import torch

from engine.geometry.slices import affine_grid
from engine.geometry.slices.affine_grid import grid_losses, margin_coefficients, monomials
from engine.geometry.triples import frozen_triples


def exact(coefficients, points):
    margins = coefficients.double() @ monomials(points.double())
    return torch.nn.functional.softplus(-margins).mean(0)


@pytest.mark.parametrize("scale", [0.01, 1.0, 20.0, 400.0])
@pytest.mark.parametrize("n_triples", [1, 7, 63, 5000])
def test_losses_agree_within_1e_5_however_wide_the_margins(scale, n_triples):
    draws = torch.Generator().manual_seed(0)
    coefficients = scale * torch.randn(n_triples, 6, generator=draws)
    points = torch.rand(50, 2, generator=draws) * 2 - 1
    got = grid_losses(coefficients, points)
    torch.testing.assert_close(got, exact(coefficients, points), rtol=1e-5, atol=1e-30)


def test_losses_near_zero_keep_their_relative_precision():
    coefficients = torch.zeros(1000, 3)
    coefficients[:, 0] = torch.linspace(8, 30, 1000)
    points = torch.linspace(-1, 1, 5)[:, None]
    got = grid_losses(coefficients, points)
    torch.testing.assert_close(got, exact(coefficients, points), rtol=1e-5, atol=0)


def test_blocks_of_triples_and_points_do_not_change_the_answer(monkeypatch):
    draws = torch.Generator().manual_seed(1)
    coefficients, points = torch.randn(500, 6, generator=draws), torch.rand(40, 2, generator=draws)
    whole = grid_losses(coefficients, points)
    monkeypatch.setattr(affine_grid, "SPAN", 37)
    monkeypatch.setattr(affine_grid, "COLUMNS", 9)
    torch.testing.assert_close(grid_losses(coefficients, points), whole, rtol=1e-6, atol=0)


def test_several_threads_give_what_one_gives(monkeypatch):
    draws = torch.Generator().manual_seed(1)
    coefficients, points = torch.randn(500, 6, generator=draws), torch.rand(40, 2, generator=draws)
    monkeypatch.setattr(affine_grid, "SPAN", 64)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = grid_losses(coefficients, points)
        torch.set_num_threads(2)
        together = grid_losses(coefficients, points)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(alone, together)


def test_coefficients_are_those_of_the_margins_quadratic(tiny):
    draws = torch.Generator().manual_seed(2)
    steps = [
        tuple(torch.randn(n, 3, generator=draws, dtype=torch.float64) for n in (60, 40))
        for _ in range(3)
    ]
    triples = frozen_triples(tiny, 50)
    table = margin_coefficients(steps, triples)
    a, b = 0.3, -1.2
    users = steps[0][0] + a * steps[1][0] + b * steps[2][0]
    items = steps[0][1] + a * steps[1][1] + b * steps[2][1]
    gaps = items[triples.positives] - items[triples.negatives]
    point = torch.tensor([[a, b]], dtype=torch.float64)
    torch.testing.assert_close(
        (table @ monomials(point)).ravel(), (users[triples.users] * gaps).sum(1)
    )
    assert np.isfinite(table.numpy()).all()
