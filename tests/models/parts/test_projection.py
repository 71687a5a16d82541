"""Projecting rows in blocks equals gathering them all, forward and backward."""

import pytest
import torch

from engine.models.parts import projection
from engine.models.parts.projection import project_rows


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_equal_one_product_with_its_gradient(monkeypatch, block_bytes, dtype):
    monkeypatch.setattr(projection, "BLOCK_BYTES", block_bytes)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 30, generator=generator, dtype=dtype)
    rows = torch.randint(0, 50, (37,), generator=generator)
    weight = torch.randn(7, 30, generator=generator, dtype=dtype, requires_grad=True)
    upstream = torch.randn(37, 7, generator=generator, dtype=dtype)

    fast = project_rows(x, rows, weight)
    (fast_gradient,) = torch.autograd.grad(fast, weight, upstream)
    slow = x[rows] @ weight.T
    (slow_gradient,) = torch.autograd.grad(slow, weight, upstream)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(fast, slow, rtol=tolerance, atol=tolerance * 10)
    torch.testing.assert_close(fast_gradient, slow_gradient, rtol=tolerance, atol=tolerance * 20)


def test_low_precision_features_keep_full_precision_weights(monkeypatch):
    monkeypatch.setattr(projection, "BLOCK_BYTES", 2000)
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(1))
    weight = torch.randn(5, 64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    rows = torch.arange(40)
    low = project_rows(x.bfloat16(), rows, weight)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, x @ weight.T, rtol=0.02, atol=0.3)
    low.sum().backward()
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(weight.grad[0], x.sum(0), rtol=0.02, atol=0.3)
