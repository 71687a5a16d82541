"""Independent blocks of work on a CPU's cores, one single-threaded worker a core.

Torch's own threads meet at a barrier after every operation. For many small operations in a row
that costs more than it gains, and on a machine that others use as well, far more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def side_by_side(
    work: Callable[[slice], T], n: int, block: int, device: torch.device
) -> Iterator[T]:
    """``work(slice)`` for consecutive slices of 0..n, results in order, without gradients.

    On a CPU as many run at once as torch has threads; on a GPU one after another. If the consumer
    stops early, blocks that have not started are dropped.
    """
    parts = [slice(start, min(start + block, n)) for start in range(0, n, block)]
    n_threads = torch.get_num_threads()
    if device.type != "cpu" or n_threads == 1 or len(parts) == 1:
        for span in parts:
            with torch.no_grad():
                yield work(span)
        return
    yield from _run_on_threads(work, parts, n_threads)


def _run_on_threads(
    work: Callable[[slice], T], parts: Sequence[slice], n_threads: int
) -> Iterator[T]:
    def without_gradient(span: slice) -> T:
        with torch.no_grad():
            return work(span)

    pool = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(without_gradient, parts)
    finally:
        pool.shutdown(cancel_futures=True)
        # The workers' setting is per thread, but threads started later would inherit it.
        torch.set_num_threads(n_threads)
