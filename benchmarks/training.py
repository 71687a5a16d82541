"""An epoch of training, over the floor of any code that projects the whole catalogue each step.

Floor of a step: one fp32 ``X @ W.T`` and one ``G.T @ X`` over all items. The released Mirror
Gradient code takes 1.9 floors plain and 2.5 with MG.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.measure import Row, against, dataset_of, interleaved, options, report
from engine.data import Dataset, synthetic
from engine.foundation.progress import silent
from engine.objectives import Triples
from engine.training import PRESETS, MemoryRecorder, TrainConfig, fit, preset
from engine.training.trainer import Trainer

STEPS = 3
"""Steps timed together: one period of Mirror Gradient at beta 3."""

TARGETS = {"plain": 0.38, "mg": 0.5, "amr": 0.43}

POOL = 512
"""Distinct negatives a batch shares in the pooled rows."""


def trainer_of(dataset: Dataset, name: str, **changes: object) -> Trainer:
    """A trainer of a preset with batch 2,048 and width 64, without a warm start."""
    if preset(name).objective.adversary is not None:
        changes["objective.adversary.warm_start_epochs"] = 0
    config: TrainConfig = preset(name, {"batch_size": 2048, **changes})
    return Trainer(dataset, config, MemoryRecorder())


def stepping(trainer: Trainer) -> Callable[[], None]:
    """A function that makes the next STEPS steps of an endless epoch, as ``run_epoch`` does."""
    triples = trainer.epoch_triples(1)
    size = trainer.config.batch_size
    n_batches = max(len(triples) // size // STEPS * STEPS, 1)
    draws = torch.Generator()
    position = 0

    def steps() -> None:
        nonlocal position
        for _ in range(STEPS):
            if position % n_batches == 0:
                trainer.stepper.start_epoch()
            start = position % n_batches * size
            batch: Triples = triples.part(start, start + size)
            trainer.stepper.step(partial(trainer.backward, trainer.objective, batch, draws))
            position += 1

    trainer.model.train()
    return steps


def floor_of(dataset: Dataset, device: torch.device) -> Callable[[], None]:
    """STEPS times one projection of the whole catalogue and its gradient, in fp32."""
    x = torch.cat([torch.tensor(dataset.features[m]).float() for m in ("text", "image")], 1)
    x = x.to(device)
    weight = torch.randn(64, x.shape[1], device=device) * 0.01
    gradient = torch.randn(len(x), 64, device=device)

    def floor() -> None:
        for _ in range(STEPS):
            x @ weight.T
            gradient.T @ x
        if device.type == "cuda":
            torch.cuda.synchronize()

    return floor


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory_row(dataset: Dataset) -> Row:
    """Peak memory of training over its allowance: features, tables with optimiser state, 1 GB."""
    before = peak_bytes()
    trainer = trainer_of(dataset, "amr", device="cpu")
    trainer.train_epoch(silent)
    trainer.validate()
    features = sum(x.numel() * x.element_size() for x in trainer.features.values())
    tables = 4 * 3 * sum(p.numel() for p in trainer.model.parameters())
    return Row(
        "peak memory above the dataset's own / allowance",
        (peak_bytes() - before) / 1e9,
        (features + tables + 1e9) / 1e9,
        (peak_bytes() - before) / (features + tables + 1e9),
        1.0,
        "GB",
    )


def growth_rows() -> list[Row]:
    """Seconds of an epoch as one side of the data grows, over linear growth from the smallest.

    The two are grown apart: a step's cost has a part for the batch and a part for the tables, so an
    epoch costs interactions x (a + b x items), linear in each.
    """
    rows = []
    for what in ("interactions", "items"):
        epochs = {}
        for scale in (1, 2, 4):
            sizes = {"interactions": 40_000, "items": 3000}
            sizes[what] *= scale
            data = synthetic(4000, sizes["items"], sizes["interactions"], 512, 128, seed=0)
            trainer = trainer_of(data, "plain", device="cpu")
            epochs[str(scale)] = partial(trainer.train_epoch, silent)
        seconds = {scale: statistics.median(t) for scale, t in interleaved(epochs, 7).items()}
        for scale in (2, 4):
            linear = seconds["1"] * scale
            value = seconds[str(scale)]
            label = f"epoch at {scale}x {what} / linear"
            rows.append(Row(label, value, linear, value / linear, 1.25))
    return rows


def preset_rows() -> list[Row]:
    """Seconds of a whole run of the sample under every preset, over the plain one's."""
    dataset = dataset_of("sample")
    rows: list[Row] = []
    for name in PRESETS:
        changes: dict[str, object] = {"epochs": 60, "patience": 10, "device": "cpu"}
        if preset(name).objective.adversary is not None:
            changes["objective.adversary.warm_start_epochs"] = 15
        started = time.perf_counter()
        fit(dataset, preset(name, changes))
        seconds = time.perf_counter() - started
        plain = rows[0].value if rows else seconds
        label = f"sample: whole run, {name}"
        rows.append(Row(label, seconds, plain, seconds / plain, None))
    return rows


def main(argv: list[str]) -> int:
    """Print the rows of this benchmark; 1 where a target is missed with --check."""
    arguments = options(__doc__ or "", argv)
    dataset = dataset_of(arguments.size)
    rows = [memory_row(dataset)] if arguments.device == "cpu" else []
    work = {"floor": floor_of(dataset, torch.device(arguments.device))}
    for name in TARGETS:
        work[name] = stepping(trainer_of(dataset, name, device=arguments.device))
        pooled = trainer_of(dataset, name, device=arguments.device, negative_pool=POOL)
        work[f"{name}, {POOL} shared negatives"] = stepping(pooled)
    sampler = trainer_of(dataset, "plain", device=arguments.device)
    work["negatives and shuffle of an epoch"] = lambda: sampler.epoch_triples(2)
    seconds = interleaved(work, arguments.rounds)
    for name in work:
        if name == "floor":
            continue
        # The sample's features are too small for projecting them to be what a step costs.
        target = TARGETS.get(name.partition(",")[0]) if arguments.size != "sample" else None
        steps = len(dataset.train) / 2048 / STEPS
        if name.startswith("negatives"):
            limit = 0.02 if arguments.size != "sample" else None
            rows.append(against(seconds, name, "floor", limit, scale=steps))
        else:
            rows.append(against(seconds, name, "floor", target, label=f"{arguments.size}: {name}"))
    if arguments.device == "cpu":
        rows += growth_rows()
    if arguments.size == "sample":
        rows += preset_rows()
    return report(rows, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
