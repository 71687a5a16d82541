"""Why a raw eigenvalue proves nothing between two runs: ``U -> cU, V -> V/c``.

Every score, so every loss and metric, stays as it is, while the raw Hessian's largest eigenvalue
moves at will (arXiv 1703.04933, for the two factors of an inner product).
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator

from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent, track
from engine.foundation.result import Result
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian
from engine.geometry.curvature.hessian.lanczos import extreme_eigenpairs
from engine.geometry.curvature.measures.measure import MEASURES
from engine.geometry.curvature.neighbourhood import (
    Neighbourhood,
    adaptive_sharpness,
    adaptive_top_eigenpair,
    balanced_top_eigenpair,
    ball_sharpness,
)
from engine.geometry.theta import theta_of
from engine.geometry.triples import frozen_triples
from engine.models import build_model
from engine.training import Trained


def rescaled(trained: Trained, c: float) -> Trained:
    """A copy of a run with user parameters times ``c`` and all others divided by ``c``.

    Raises ConfigError for c <= 0, and where that changes the scores because the model mixes user
    and item parameters in its factors (graph models).
    """
    if c <= 0:
        raise ConfigError(f"c is {c}; a positive factor is needed.")
    at = next(trained.model.parameters())
    model = build_model(trained.config.model, trained.dataset, trained.config.seed)
    model = model.to(at.device, at.dtype)
    model.load_theta(
        {
            name: t * (c if model.block(name) == "users" else 1.0 / c)
            for name, t in theta_of(trained).items()
        }
    )
    model.eval().requires_grad_(False)
    copied = dataclasses.replace(trained, model=model)
    users, items = trained.factors()
    users_c, items_c = copied.factors()
    some = slice(0, 256)
    before, after = users[some] @ items[some].T, users_c[some] @ items_c[some].T
    if not torch.allclose(before, after, rtol=1e-3, atol=1e-4 * float(before.abs().max())):
        raise ConfigError(
            f"{type(model).__name__} mixes user and item parameters in its factors, so U -> cU, "
            "V -> V/c cannot be made by scaling them; choose bpr-mf or vbpr."
        )
    return copied


SHOWN = (
    "top_eigenvalue",
    "ball_sharpness",
    "adaptive_top_eigenvalue",
    "adaptive_sharpness",
    "balanced_top_eigenvalue",
)
"""Measures that are followed: two raw ones and their invariant companions."""

LARGEST = 1e4
"""Measures move with its fourth power, which float32 still holds."""


class ScaleSymmetryConfig(Config):
    """By which factors the same recommender is written down."""

    factors: tuple[float, ...] = Field(default=(0.0625, 0.25, 1.0, 4.0, 16.0), min_length=2)
    """The c of ``U -> cU, V -> V/c``; 1 is the run as it is, and is always among them. Powers of 2
    change no digit of any score."""
    n_triples: int | None = Field(default=20_000, ge=1)
    """Frozen triples the loss is averaged over; none for all training pairs."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples and starting vectors."""

    @model_validator(mode="after")
    def _are_positive(self) -> Self:
        if min(self.factors) <= 0:
            raise ValueError(f"factors holds {min(self.factors):g}; all must be above 0")
        if max(self.factors) > LARGEST or min(self.factors) < 1 / LARGEST:
            raise ValueError(
                f"factors reach from {min(self.factors):g} to {max(self.factors):g}; beyond "
                f"{1 / LARGEST:g} to {LARGEST:g} rounding would change the scores"
            )
        return self


@dataclass(frozen=True)
class ScaleSymmetry(Result):
    """Flatness measures of one recommender written down in several ways."""

    kind: ClassVar[str] = "scale_symmetry"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "factors_C": ("factor",),
        "losses_C": ("factor",),
        "score_changes_C": ("factor",),
        "values_MC": ("measure", "factor"),
    }
    units: ClassVar[dict[str, str]] = {
        "factors_C": "c of U -> cU, V -> V/c",
        "losses_C": "nats a triple",
        "score_changes_C": "largest change of a score over the largest score",
        "values_MC": "each measure's own unit",
    }

    factors_C: np.ndarray
    """Ascending; 1 is among them."""
    losses_C: np.ndarray
    score_changes_C: np.ndarray
    """Over all users and items; rounding alone makes it differ from 0."""
    measures: list[str]
    """Names of ``MEASURES``."""
    values_MC: np.ndarray
    label: str
    run: str
    unconverged: list[str] = field(default_factory=list)
    """Measures of which some eigenvalue did not reach its tolerance."""

    def to_frame(self) -> pd.DataFrame:
        """One row a factor and measure: run, label, c, loss, score_change, measure, value,
        times (over the value at c = 1), is_invariant."""
        m, c = np.indices(self.values_MC.shape).reshape(2, -1)
        own_M1 = self.values_MC[:, [int(np.argmin(np.abs(self.factors_C - 1.0)))]]
        return pd.DataFrame(
            {
                "run": self.run,
                "label": self.label,
                "c": self.factors_C[c],
                "loss": self.losses_C[c],
                "score_change": self.score_changes_C[c],
                "measure": np.array(self.measures, dtype=object)[m],
                "value": self.values_MC.reshape(-1),
                "times": (self.values_MC / own_M1).reshape(-1),
                "is_invariant": np.array([MEASURES[n].is_invariant for n in self.measures])[m],
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        change = self.score_changes_C.max()
        unsure = ", ".join(name.replace("_", " ") for name in self.unconverged)
        same = f"differ by at most {change:.1g} of the largest, by rounding" if change else "stay"
        return (
            f"{self.label or self.run or 'The run'} with user parameters times c and all others "
            f"divided by c: the same recommender, whose scores {same}"
            f"{'' if change else ' the same to the last digit'}. A measure that moves "
            "with c says how the weights are written down, not what the model does. One that "
            "stays may be compared between runs; that alone does not make it predict anything."
            + (f" Not within tolerance when the products ran out: {unsure}." if unsure else "")
        )


def scale_symmetry(
    trained: Trained,
    config: ScaleSymmetryConfig | None = None,
    progress: Progress = silent,
) -> ScaleSymmetry:
    """The demonstration: raw measures move under the rescaling, their companions do not.

    Raises ConfigError for models that mix user and item parameters in their factors.
    """
    config = config or ScaleSymmetryConfig()
    started = time.perf_counter()
    factors = sorted({1.0, *config.factors})
    device = next(trained.model.parameters()).device
    triples = frozen_triples(trained.dataset, config.n_triples, config.seed, "train", device)
    users, items = trained.factors()
    largest = _largest_score(users, items)
    losses, changes, values = [], [], []
    unconverged: dict[str, None] = {}
    for c in track(factors, progress, "rescaled weights"):
        run = rescaled(trained, c)
        around = Neighbourhood(run, triples)
        hessian = FactorHessian(run, triples)
        start_P = hessian.space.normal(torch_generator(config.seed, "lanczos"))
        loss = hessian.factor_loss
        at_P = hessian.space.vector(theta_of(run))
        pairs = {
            "top_eigenvalue": extreme_eigenpairs(hessian.product, start_P, 1),
            "adaptive_top_eigenvalue": adaptive_top_eigenpair(hessian, at_P, config.seed),
            "balanced_top_eigenvalue": balanced_top_eigenpair(loss, triples, config.seed),
        }
        unconverged |= {name: None for name, pair in pairs.items() if not pair.has_converged}
        found = {name: pair.top for name, pair in pairs.items()}
        found["ball_sharpness"] = ball_sharpness(around, 0.05)
        found["adaptive_sharpness"] = adaptive_sharpness(around, 0.5)
        losses.append(hessian.loss())
        values.append([found[name] for name in SHOWN])
        users_c, items_c = run.factors()
        changes.append(_largest_difference(users, items, users_c, items_c) / largest)
    return ScaleSymmetry(
        factors_C=np.array(factors),
        losses_C=np.array(losses),
        score_changes_C=np.array(changes),
        measures=list(SHOWN),
        values_MC=np.array(values).T,
        label=trained.label,
        run=trained.run,
        unconverged=list(unconverged),
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": trained.dataset.fingerprint,
            "n_triples": len(triples),
            "seconds": time.perf_counter() - started,
        },
    )


BLOCK_USERS = 512


def _largest_score(users_UD: torch.Tensor, items_ID: torch.Tensor) -> float:
    blocks = users_UD.split(BLOCK_USERS)
    return max(max(float((block @ items_ID.T).abs().max()) for block in blocks), 1e-30)


def _largest_difference(
    users_UD: torch.Tensor, items_ID: torch.Tensor, other_UD: torch.Tensor, other_ID: torch.Tensor
) -> float:
    pairs = zip(users_UD.split(BLOCK_USERS), other_UD.split(BLOCK_USERS), strict=True)
    return max(float((a @ items_ID.T - b @ other_ID.T).abs().max()) for a, b in pairs)
