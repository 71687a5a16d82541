"""One seed decides everything.

A generator is named by the run's seed, a purpose and optional indices (an epoch, a draw). No
generator is ever carried over from one epoch to the next, so resuming at an epoch needs no saved
generator state, and one purpose's draws never depend on how many another made.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_sequence(seed: int, purpose: str, *indices: int) -> np.random.SeedSequence:
    """The SeedSequence of one purpose within one run."""
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(purpose.encode()), *indices))


def numpy_generator(seed: int, purpose: str, *indices: int) -> np.random.Generator:
    """A NumPy generator of one purpose within one run."""
    return np.random.default_rng(seed_sequence(seed, purpose, *indices))


def torch_generator(seed: int, purpose: str, *indices: int) -> torch.Generator:
    """A torch CPU generator of one purpose; draws are made on the CPU so devices agree."""
    import torch  # only here, so that reading data does not wait for torch

    state = int(seed_sequence(seed, purpose, *indices).generate_state(1, np.uint64)[0])
    generator = torch.Generator(device="cpu")
    generator.manual_seed(state & 0x7FFF_FFFF_FFFF_FFFF)
    return generator
