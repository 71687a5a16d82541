"""Small trainings use one thread, and waiting threads sleep."""

import os
import subprocess
import sys

import pytest
import torch

from engine.data import read_dataset, synthetic
from engine.studies.training_threads import SMALL_STEP, operations_per_step, threads_for
from engine.training import preset

CONFIG = preset("plain", {"device": "cpu"})


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_sample_needs_one_thread(two_threads):
    with threads_for(read_dataset("sample"), CONFIG):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_a_large_catalogue_keeps_its_threads(two_threads):
    large = synthetic(50, 2_000, 500, image_width=2048, text_width=384, seed=0)
    assert operations_per_step(large, CONFIG) == 6 * 2_000 * 2_432 * 64 > SMALL_STEP
    with threads_for(large, CONFIG):
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_threads_wait_passively_unless_the_user_says_otherwise(policy):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if policy is not None:
        environment["OMP_WAIT_POLICY"] = policy
    code = (
        "import engine.cli, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [policy or "PASSIVE", "False"]
