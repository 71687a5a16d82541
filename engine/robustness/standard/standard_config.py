"""The standard set of attacks: which they are, and how strong."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from engine.data import Dataset
from engine.data.perturbations.noise.random_direction import RandomDirectionConfig
from engine.data.perturbations.units import Norm, Unit
from engine.foundation.config import Config
from engine.foundation.seeding import numpy_generator
from engine.robustness.attacks import AttackConfig, FGSMConfig, PGDConfig

TRANSFER = "transfer"
"""The member that needs another run: the same attack, carried out on a plainly trained twin."""
PROMOTION = "promotion"

ATTACK_TITLES = {
    "fgsm": "FGSM on the training loss",
    "pgd": "PGD on the training loss",
    "pgd-held-out": "PGD on held-out positives",
    "pgd-top-k": "PGD on a smooth Recall@k",
    PROMOTION: "promotion of items",
    TRANSFER: "transfer from a plain twin",
}
"""What tables and figures call each member."""

POPULAR_SHARE = 0.2
"""Promoted items are drawn among all but the most popular fifth."""


class StandardAttackConfig(Config):
    """A fixed set of attacks whose worst outcome counts (the idea of AutoAttack, arXiv 2003.01690).

    No member is the attack that a strategy was trained on with its own settings, none may be left
    out, and all stay in the same ball.
    """

    strengths: tuple[float, ...] = Field(default=(0.03, 0.1, 1.0), min_length=1)
    """Radii of the ball around each row, in ``unit``; 0, the clean model, is always among them, and
    1 should be: there every attack must hurt a model that reads its features."""
    norm: Norm = "l2"
    """``l2``: length of each row's change; ``linf``: its largest coordinate."""
    unit: Unit = "row_norm"
    """What strength 1 is: each row's own length, the modality's largest absolute value, or 1."""
    modalities: tuple[str, ...] = ("all",)
    """Which features are attacked and removed: names of the dataset's modalities, or all."""
    cutoff: int = Field(default=20, ge=1)
    """The k of every metric, and of the lists that attacks aim at, in items."""
    split: Literal["valid", "test"] = "test"
    """Whose positives are to be found; the attacker knows them."""
    steps: int = Field(default=20, ge=1, le=200)
    """Steps of each PGD from each start, each 2.5 / steps of the radius long."""
    restarts: int = Field(default=3, ge=1, le=20)
    """Starts of each PGD; the best by its goal counts."""
    n_draws: int = Field(default=3, ge=1, le=100)
    """Draws of the random control of equal norm."""
    n_promoted: int = Field(default=10, ge=1)
    """Items promoted together, drawn among those that are not popular."""
    tolerance: float = Field(default=0.05, ge=0, le=1)
    """Share of the clean accuracy by which one number must pass another before a check speaks."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides starts, control and promoted items; the same for every run."""

    @field_validator("strengths")
    @classmethod
    def _start_at_zero(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if min(value, default=0.0) < 0:
            raise ValueError("strengths must be 0 or more")
        if max(value, default=0.0) == 0:
            raise ValueError("name at least one strength above 0")
        return tuple(sorted({0.0, *value}))

    @property
    def control(self) -> RandomDirectionConfig:
        """A random direction of the same norm."""
        return RandomDirectionConfig(modalities=self.modalities, norm=self.norm, unit=self.unit)

    def attacks(self, dataset: Dataset) -> dict[str, AttackConfig]:
        """Every member but the transfer by its key in ATTACK_TITLES."""
        ball: dict[str, Any] = {"modalities": self.modalities, "norm": self.norm, "unit": self.unit}
        ball |= {"cutoff": self.cutoff, "held_out": self.split}
        climb = {"steps": self.steps, "step_size": min(2.5 / self.steps, 2.0)}
        climb |= {"restarts": self.restarts}
        promoted = tuple(int(i) for i in promoted_items(dataset, self.n_promoted, self.seed))
        return {
            "fgsm": FGSMConfig.parse(ball),
            "pgd": PGDConfig.parse(ball | climb),
            "pgd-held-out": PGDConfig.parse(ball | climb | {"goal": "held_out"}),
            "pgd-top-k": PGDConfig.parse(ball | climb | {"goal": "top_k"}),
            PROMOTION: PGDConfig.parse(
                ball | climb | {"goal": "promote", "target_items": promoted}
            ),
        }


def promoted_items(dataset: Dataset, count: int, seed: int) -> np.ndarray:
    """Ids of items to promote, ascending [n]: drawn among all but the most popular fifth."""
    order = np.argsort(-dataset.popularity, kind="stable")
    tail = order[round(POPULAR_SHARE * dataset.n_items) :]
    draws = numpy_generator(seed, "promoted items")
    return np.sort(draws.choice(tail, size=min(count, len(tail)), replace=False))
