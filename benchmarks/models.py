"""An epoch and a validation of every model, over its own products; peak memory of each.

The floor of a step is what no exact code of the model can leave out: the sparse products of one
forward pass, as recorded from it, and one fp32 ``X @ W.T`` of width 64 for each modality it reads,
both twice for the gradient. Losses, gathers and the optimiser come on top. VBPR projects a batch's
rows only and may fall below. Item graphs are found before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks.measure import Row, dataset_of, interleaved, options, report
from benchmarks.training import peak_bytes
from engine.foundation.config import choice_name
from engine.foundation.progress import silent
from engine.models import MODELS
from engine.models.parts.graphs import Propagate
from engine.training import MemoryRecorder, TrainConfig
from engine.training.trainer import Trainer


def sparse_products(trainer: Trainer) -> list[tuple[Tensor, Tensor]]:
    """The sparse products of a forward pass, as (matrix, dense) pairs."""
    pairs: list[tuple[Tensor, Tensor]] = []
    plain = Propagate.forward

    def recording(matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        pairs.append((matrix.detach(), dense.detach()))
        return plain(matrix, transposed, dense)

    Propagate.forward = staticmethod(recording)  # type: ignore[method-assign]  # put back below
    try:
        with torch.no_grad():
            trainer.model(trainer.features)
    finally:
        Propagate.forward = staticmethod(plain)  # type: ignore[method-assign]  # as it was
    return pairs


def floor_of(trainer: Trainer) -> Callable[[], None]:
    """The products of one epoch's steps, forward and backward."""
    pairs = sparse_products(trainer)
    dense = [
        (x.float(), torch.randn(64, x.shape[1]), torch.randn(len(x), 64))
        for x in trainer.features.values()
    ]
    n_steps = -(-len(trainer.dataset.train) // trainer.config.batch_size)

    def floor() -> None:
        for _ in range(n_steps):
            for matrix, rows in pairs:
                matrix @ rows
                matrix @ rows
            for x, weight, gradient in dense:
                x @ weight.T
                gradient.T @ x

    return floor


def rows_of(name: str, given: argparse.Namespace) -> list[Row]:
    """One model's epoch, validation and memory."""
    dataset = dataset_of(given.size)
    before = peak_bytes()
    config = TrainConfig().changed({"model": name, "device": "cpu", "batch_size": 2048})
    trainer = Trainer(dataset, config, MemoryRecorder())
    trainer.train_epoch(silent)
    trainer.validate()
    memory = (peak_bytes() - before) / 1e9
    work: dict[str, Callable[[], object]] = {
        "epoch": lambda: trainer.train_epoch(silent),
        "validation": trainer.validate,
    }
    floor = floor_of(trainer)
    seconds = interleaved({**work, "floor": floor}, given.rounds)
    below = statistics.median(seconds["floor"])
    rows = []
    for what in work:
        value = statistics.median(seconds[what])
        target = 2.0 if what == "epoch" and below > 0 else None
        rows.append(Row(f"{given.size}: {name}, {what}", value, below, value / below, target))
    features = sum(x.numel() * x.element_size() for x in trainer.features.values()) / 1e9
    tables = 16 * sum(p.numel() for p in trainer.model.parameters()) / 1e9
    allowed = features + tables + 1.0
    label = f"{given.size}: {name}, peak memory / features, tables and 1 GB"
    return [*rows, Row(label, memory, allowed, memory / allowed, None, "GB")]


def main(argv: Sequence[str]) -> int:
    """Print the rows of all models, or of ``--model``; 1 where a target is missed with --check."""
    given = options(__doc__ or "", argv, ("sample", "posters", "baby", "sports"))
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", choices=[choice_name(config) for config in MODELS])
    chosen = parser.parse_known_args(list(argv))[0].model
    if chosen:
        rows = rows_of(chosen, given)
        return report(rows, given)
    rows = []
    for config in MODELS:  # a process each, so that one's memory is not another's
        model = ["--model", choice_name(config), "--json"]
        command = [sys.executable, "-m", "benchmarks", "models", *argv, *model]
        made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows += [Row(**json.loads(line)) for line in made.stdout.splitlines()]
    return report(rows, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
