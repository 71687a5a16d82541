"""Full ranking of every user, over plain scores of all items and ``topk``.

Floor: fp32 scores of all users against all items, in blocks of the same size and in a reused
buffer, and ``torch.topk(20)``; factor width 128. Random factors have next to no hits, which is the
easy case; fitted ones, the truncated SVD of the train matrix, place a third of the held-out items
among the top 50, which is the hard one. Where other work keeps the cores busy, two threads wait
for each other at every small step: ``--threads 1`` then tells more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
import torch
from torch import Tensor

from benchmarks.measure import Row, against, dataset_of, interleaved, options, report
from engine.data import Dataset
from engine.evaluation import (
    EvaluationConfig,
    evaluate,
    evaluate_sampled,
    is_relevant,
    metrics_of_hits,
    top_items,
)

WIDTH = 128
TARGETS = {"sample": None, "baby": 1.1, "sports": 1.1}
"""The sample is ranked in milliseconds, which fixed costs fill; it has no target."""
ALLOWED_MB = 1000.0
"""The extra memory an evaluation may take."""


def random_factors(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Standard normal factors [n_users, WIDTH] and [n_items, WIDTH]."""
    generator = torch.Generator().manual_seed(0)
    users = torch.randn(dataset.n_users, WIDTH, generator=generator)
    return users, torch.randn(dataset.n_items, WIDTH, generator=generator)


def fitted_factors(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Truncated SVD of the train matrix, each entry over the root of its row and column sums."""
    pairs = dataset.matrix("train").tocoo()
    per_user = np.bincount(pairs.row, minlength=dataset.n_users)[pairs.row]
    per_item = np.bincount(pairs.col, minlength=dataset.n_items)[pairs.col]
    weights = torch.from_numpy(1.0 / np.sqrt(per_user * per_item)).float()
    places = torch.from_numpy(np.stack([pairs.row, pairs.col]).astype(np.int64))
    train = torch.sparse_coo_tensor(places, weights, pairs.shape, check_invariants=False)
    torch.manual_seed(0)
    left, values, right = torch.svd_lowrank(train.coalesce(), q=WIDTH, niter=2)
    return left * values, right


def floor_of(user_UD: Tensor, item_ID: Tensor) -> Callable[[], None]:
    """Scores of all users against all items, and the 20 best of each."""
    block = EvaluationConfig().block
    buffer = user_UD.new_empty(block, len(item_ID))

    def floor() -> None:
        for start in range(0, len(user_UD), block):
            chosen = user_UD[start : start + block]
            scores = torch.mm(chosen, item_ID.T, out=buffer[: len(chosen)])
            torch.topk(scores, min(20, len(item_ID)), dim=1)
        if user_UD.device.type == "cuda":
            torch.cuda.synchronize()

    return floor


def by_lists(user_UD: Tensor, item_ID: Tensor, dataset: Dataset) -> dict[str, np.ndarray]:
    """The metrics by way of each user's 50 best items, which ``evaluate`` does without."""
    relevant = dataset.matrix("test")
    users = np.flatnonzero(np.diff(relevant.indptr))
    ranked = top_items(user_UD, item_ID, dataset, users, 50)
    hits = is_relevant(ranked, users, dataset, "test")
    return metrics_of_hits(hits, np.diff(relevant.indptr)[users], EvaluationConfig().cutoffs)


def extra_megabytes(work: Callable[[], object], device: str) -> float:
    """Peak memory during some work above what was in use before it, in MB."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return (peak - before) / 1e6


def main(argv: list[str]) -> int:
    """Print the rows of this benchmark; 1 where a target is missed with --check."""
    given = options(__doc__ or "", argv)
    dataset = dataset_of(given.size)
    rows: list[Row] = []
    for kind, make in {"random": random_factors, "fitted": fitted_factors}.items():
        user_UD, item_ID = (factors.to(given.device) for factors in make(dataset))
        work: dict[str, Callable[[], object]] = {
            "floor": floor_of(user_UD, item_ID),
            "evaluate": partial(evaluate, user_UD, item_ID, dataset, "test"),
            "by lists of 50": partial(by_lists, user_UD, item_ID, dataset),
        }
        extra = extra_megabytes(work["evaluate"], given.device)
        seconds = interleaved(work, given.rounds)
        for name, target in {"evaluate": TARGETS[given.size], "by lists of 50": None}.items():
            label = f"{given.size}: {name}, {kind} factors"
            rows.append(against(seconds, name, "floor", target, label=label))
        label = f"{given.size}: extra memory, {kind} factors"
        rows.append(Row(label, extra, ALLOWED_MB, extra / ALLOWED_MB, 1.0, "MB"))
    sampled: dict[str, Callable[[], object]] = {
        "floor": floor_of(user_UD, item_ID),
        "sampled": partial(evaluate_sampled, user_UD, item_ID, dataset, "test"),
    }
    seconds = interleaved(sampled, min(given.rounds, 2))
    label = f"{given.size}: against 999 sampled negatives"
    rows.append(against(seconds, "sampled", "floor", None, label=label))
    return report(rows, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
