"""One thread for small work: sharing out a millisecond's arithmetic costs more than it saves.

Measured on two busy cores: the default curves of the sample take 2.4 s on one thread, 10 s and more
on two, which wait for each other at each of many thousand small steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_CELLS = 4_000_000
"""Scores (users x items) below which one thread is used."""


@contextmanager
def few_threads(n_cells: int) -> Iterator[None]:
    """Within, torch uses one thread in this thread of the program if the work is small."""
    before = torch.get_num_threads()
    if n_cells >= SMALL_CELLS or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
