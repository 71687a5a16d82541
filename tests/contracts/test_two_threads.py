"""One seed decides the numbers: every model, trained twice by two threads, gives equal bits."""

import pytest
import torch

from engine.data import synthetic
from engine.models import MODELS
from engine.training import fit, preset


@pytest.fixture(scope="module")
def shop():
    """Large enough that torch shares a batch's rows among threads."""
    return synthetic(600, 400, 12000, image_width=16, text_width=8, seed=5)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("config", MODELS, ids=lambda config: config().name)
def test_two_threads_train_to_equal_bits(shop, two_threads, config):
    changes = {"model": config().name, "epochs": 1, "device": "cpu"}
    one, two = (fit(shop, preset("plain", changes)) for _ in range(2))
    for (name, first), second in zip(
        one.model.named_parameters(), two.model.parameters(), strict=True
    ):
        assert torch.equal(first, second), name
