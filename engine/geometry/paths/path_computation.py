"""Is there a way between two minima? The straight line and a trained Bezier curve.

Mode connectivity (Garipov et al., arXiv 1802.10026, section 3): the control point phi of
``(1-t)^2 theta_0 + 2t(1-t) phi + t^2 theta_1`` is trained to make the mean loss along the curve
small. Legend: C curves (straight, Bezier), T places along a curve.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import numpy_generator, torch_generator
from engine.geometry.comparable_runs import check_comparable, check_one_network, name_of
from engine.geometry.curvature.hessian.factor_hessian import FactorLoss
from engine.geometry.fixed_sample import FixedSample, validation_metrics
from engine.geometry.paths.path_config import ModePathConfig
from engine.geometry.paths.path_result import CURVES, ModePath
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.theta import factors_at, theta_of
from engine.objectives import Triples
from engine.training import Trained


def mode_path(
    trained: Sequence[Trained],
    config: ModePathConfig | None = None,
    progress: Progress = silent,
) -> ModePath:
    """Train a Bezier curve between two runs and measure it beside the straight line.

    Raises ConfigError unless there are two, of one model, features and dataset.
    """
    config = config or ModePathConfig()
    if len(trained) != 2:
        raise ConfigError(f"a path leads from one run to another; {len(trained)} were given.")
    pair = (first, second) = (trained[0], trained[1])
    check_comparable(pair)
    check_one_network(pair)
    started = time.perf_counter()
    ends = (theta_of(first), theta_of(second))
    device = next(first.model.parameters()).device
    dataset = first.dataset
    recall = f"recall@{config.cutoff}"
    wanted = ["train_loss", "valid_loss", recall] if len(dataset.valid) else ["train_loss"]
    sample = FixedSample.draw(
        dataset, wanted, config.n_triples, config.n_users, config.seed, device
    )
    train = sample.triples["train"]
    middle = {name: (ends[0][name] + ends[1][name]) / 2 for name in ends[0]}
    bent = _train_control_point(first, ends, middle, train, config, progress)
    places_T = np.linspace(0.0, 1.0, config.n_points)
    values_QCT = np.full((3, 2, config.n_points), np.nan)
    for c, control in enumerate((middle, bent)):
        for k, place in enumerate(places_T):
            progress(0.8 + 0.1 * (c + k / config.n_points), f"{CURVES[c]}, place {k + 1}")
            with torch.no_grad():
                users, items = factors_at(first, _on_curve(ends, control, float(place)))
            for split, triples in enumerate(sample.triples.values()):
                values_QCT[split, c, k] = mean_ranking_loss(users, items, triples)
            if len(sample.users):
                values_QCT[2, c, k] = validation_metrics(users, items, sample, [recall])[recall]
    progress(1.0, "mode path")
    return ModePath(
        places_T=places_T,
        train_loss_CT=values_QCT[0],
        valid_loss_CT=values_QCT[1],
        valid_recall_CT=values_QCT[2],
        cutoff=config.cutoff,
        curves=CURVES,
        labels=[name_of(pair, 0), name_of(pair, 1)],
        runs=[first.run, second.run],
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": dataset.fingerprint,
            "n_triples": len(train),
            "n_users": len(sample.users),
            "seconds": time.perf_counter() - started,
        },
    )


def _on_curve(
    ends: tuple[dict[str, Tensor], dict[str, Tensor]], control: dict[str, Tensor], t: float
) -> dict[str, Tensor]:
    # With the control in the middle of the ends this is the straight line, evenly walked.
    return {
        name: (1 - t) ** 2 * ends[0][name] + 2 * t * (1 - t) * control[name] + t**2 * ends[1][name]
        for name in control
    }


def _train_control_point(
    trained: Trained,
    ends: tuple[dict[str, Tensor], dict[str, Tensor]],
    start: dict[str, Tensor],
    triples: Triples,
    config: ModePathConfig,
    progress: Progress,
) -> dict[str, Tensor]:
    control = {name: t.clone().requires_grad_() for name, t in start.items()}
    optimiser = torch.optim.Adam(control.values(), lr=config.learning_rate)
    places = numpy_generator(config.seed, "mode path places").uniform(size=config.n_steps)
    draws = torch_generator(config.seed, "mode path batches")
    for step, t in enumerate(places):
        progress(0.8 * step / config.n_steps, f"bending the curve, step {step + 1}")
        batch = triples
        if config.batch_size < len(triples):
            chosen = torch.randint(len(triples), (config.batch_size,), generator=draws)
            chosen = chosen.to(triples.users.device)
            batch = Triples(
                triples.users[chosen], triples.positives[chosen], triples.negatives[chosen]
            )
        optimiser.zero_grad(set_to_none=True)
        with torch.enable_grad():
            users, items = factors_at(trained, _on_curve(ends, control, float(t)))
        slopes = FactorLoss(users.detach(), items.detach(), batch).gradient()
        torch.autograd.backward([users, items], slopes)
        optimiser.step()
    return {name: t.detach() for name, t in control.items()}
