"""Is there a way between two minima? The straight line and a trained Bezier curve.

Mode connectivity (Garipov et al., arXiv 1802.10026, section 3): the control point phi of
``(1-t)^2 theta_0 + 2t(1-t) phi + t^2 theta_1`` is trained to make the mean loss along the curve
small. Legend: C curves (straight, Bezier), T places along a curve.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor

from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent
from engine.foundation.result import Result
from engine.foundation.seeding import numpy_generator, torch_generator
from engine.geometry.curvature.factor_hessian import FactorLoss
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.slices.slice_directions import check_comparable, check_one_network, name_of
from engine.geometry.slices.plane_evaluation import Frozen, metrics_of
from engine.geometry.theta import factors_at, theta_of
from engine.objectives import Triples
from engine.training import Trained

CURVES = ["straight line", "Bezier curve"]


class ModePathConfig(Config):
    """How the curve between two runs is trained and looked at."""

    n_steps: int = Field(default=100, ge=0)
    """Adam steps on the control point."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Adam's step size, in units of the weights."""
    batch_size: int = Field(default=16_384, ge=1)
    """Triples a step, from the frozen ones, at one random place t of the curve."""
    n_points: int = Field(default=41, ge=3)
    """Places at which both curves are measured, ends included."""
    n_triples: int | None = Field(default=50_000, ge=1)
    """Frozen triples; none for all pairs."""
    cutoff: int = Field(default=20, ge=1, le=1000)
    """The k of the validation recall@k measured along both ways."""
    n_users: int | None = Field(default=1_000, ge=1)
    """Users that recall is averaged over, drawn once; none for all with validation items."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples, users, batches and places."""


@dataclass(frozen=True)
class ModePath(Result):
    """Losses along the straight line and the Bezier curve between two runs."""

    kind: ClassVar[str] = "mode_path"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "places_T": ("place",),
        "train_loss_CT": ("curve", "place"),
        "valid_loss_CT": ("curve", "place"),
        "valid_recall_CT": ("curve", "place"),
    }
    units: ClassVar[dict[str, str]] = {
        "places_T": "share of the way, 0 to 1",
        "train_loss_CT": "nats a triple",
        "valid_loss_CT": "nats a triple",
        "valid_recall_CT": "0 to 1",
    }

    places_T: np.ndarray
    train_loss_CT: np.ndarray
    valid_loss_CT: np.ndarray
    valid_recall_CT: np.ndarray
    """Recall@cutoff of validation items, train items left out. Both are NaN where the dataset has
    no validation pairs."""
    cutoff: int
    curves: list[str]
    labels: list[str]
    runs: list[str]

    @property
    def barriers(self) -> dict[str, float]:
        """Each curve's highest train loss above the straight interpolation of its ends' losses."""
        ends = self.train_loss_CT[:, :1], self.train_loss_CT[:, -1:]
        level_CT = (1 - self.places_T) * ends[0] + self.places_T * ends[1]
        rises = (self.train_loss_CT - level_CT).max(axis=1)
        return dict(zip(self.curves, rises.tolist(), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """One row a curve and place: curve, place, train_loss, valid_loss, valid_recall."""
        n = len(self.places_T)
        return pd.DataFrame(
            {
                "curve": np.repeat(self.curves, n),
                "place": np.tile(self.places_T, len(self.curves)),
                "train_loss": self.train_loss_CT.reshape(-1),
                "valid_loss": self.valid_loss_CT.reshape(-1),
                "valid_recall": self.valid_recall_CT.reshape(-1),
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        heights = ", ".join(f"{name} {height:.3g}" for name, height in self.barriers.items())
        return (
            f"Loss and validation recall@{self.cutoff} along two ways from {self.labels[0]} to "
            f"{self.labels[1]}, on the same frozen triples and users; barriers in train loss "
            f"(nats): {heights}. Factors may be turned and rescaled without changing a score, so a "
            "high barrier on the straight line does not prove that the two rank differently; a "
            "low one on a trained curve shows that a way exists, not that training finds it. The "
            "curve itself is trained, so between its ends it may lie below both of them."
        )


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
    frozen = Frozen.draw(dataset, wanted, config.n_triples, config.n_users, config.seed, device)
    train = frozen.triples["train"]
    middle = {name: (ends[0][name] + ends[1][name]) / 2 for name in ends[0]}
    bent = _trained_control(first, ends, middle, train, config, progress)
    places_T = np.linspace(0.0, 1.0, config.n_points)
    found_QCT = np.full((3, 2, config.n_points), np.nan)
    for c, control in enumerate((middle, bent)):
        for k, place in enumerate(places_T):
            progress(0.8 + 0.1 * (c + k / config.n_points), f"{CURVES[c]}, place {k + 1}")
            with torch.no_grad():
                users, items = factors_at(first, _on_curve(ends, control, float(place)))
            for split, triples in enumerate(frozen.triples.values()):
                found_QCT[split, c, k] = mean_ranking_loss(users, items, triples)
            if len(frozen.users):
                found_QCT[2, c, k] = metrics_of(users, items, frozen, [recall])[recall]
    progress(1.0, "mode path")
    return ModePath(
        places_T=places_T,
        train_loss_CT=found_QCT[0],
        valid_loss_CT=found_QCT[1],
        valid_recall_CT=found_QCT[2],
        cutoff=config.cutoff,
        curves=CURVES,
        labels=[name_of(pair, 0), name_of(pair, 1)],
        runs=[first.run, second.run],
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": dataset.fingerprint,
            "n_triples": len(train),
            "n_users": len(frozen.users),
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


def _trained_control(
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
