"""Which robustness curves are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from engine.data import Dataset
from engine.data.perturbations.noise.gaussian import GaussianConfig
from engine.data.perturbations.noise.swap import SwapConfig
from engine.data.perturbations.perturbation import PerturbationConfig, check_strength
from engine.data.perturbations.units import ALL_MODALITIES, hits
from engine.evaluation import Metric
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.robustness.all_perturbations import AnyPerturbationConfig
from engine.robustness.attacks.attack import GoalConfig
from engine.robustness.attacks.fgsm import FGSMConfig


class CurveConfig(Config):
    """Which curves are drawn."""

    kinds: tuple[AnyPerturbationConfig, ...] = (GaussianConfig(), SwapConfig(), FGSMConfig())
    """The perturbations; each attack brings its random control of equal norm. As text: names, each
    with settings after colons where wanted, e.g. ``swap:within=other,pgd:norm=linf:steps=20``;
    several values of one setting are joined by ``+``."""
    strengths: tuple[float, ...] | None = None
    """Strengths of every kind, each in the kind's unit, or none for each kind's own grid; 0, the
    clean model, is always among them."""
    modalities: tuple[str, ...] = Field(default=("both",), min_length=1)
    """Which features are hit: one set of curves for each entry, a name of the dataset's modalities
    such as image or text, or 'both' (or 'all') for all that the kind names and the model reads."""
    n_draws: int = Field(default=5, ge=1, le=1000)
    """Draws of each random perturbation, the same for every run; an attack without random starts
    has one."""
    cutoffs: tuple[int, ...] = Field(default=(10, 20), min_length=1)
    """The k of each metric@k, in items."""
    user_metric: Metric = "recall"
    """The metric kept for each user, at the largest cutoff."""
    split: Literal["valid", "test"] = "test"
    """Whose interactions are to be found."""
    items: tuple[int, ...] | None = None
    """Ids of the items that may be hit, for kinds that name none themselves; none for all items."""
    draw_at: Literal["features", "projection"] = "features"
    """Where Gaussian noise is drawn: ``features``, once for all runs, which are then truly paired;
    ``projection``: at each linear model's own width, exact in distribution and cheaper where
    features are wide, but only nearly paired."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides every draw."""

    @field_validator("kinds", mode="before")
    @classmethod
    def _names_are_kinds(cls, value: Any) -> Any:
        """Kinds as text: 'gaussian,fgsm' with defaults, 'pgd:norm=linf:steps=20' with settings."""
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, list | tuple):
            return tuple(kind_of(item) if isinstance(item, str) else item for item in value)
        return value

    @field_validator("kinds")
    @classmethod
    def _are_some(
        cls, value: tuple[AnyPerturbationConfig, ...]
    ) -> tuple[AnyPerturbationConfig, ...]:
        if not value:  # pydantic's own check would also count kinds that are not valid
            raise ValueError("name at least one kind")
        return value

    @field_validator("strengths")
    @classmethod
    def _start_at_zero(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is None:
            return None
        if min(value, default=0.0) < 0:
            raise ValueError("strengths must be 0 or more")
        return tuple(sorted({0.0, *value}))


def kind_of(text: str) -> dict[str, Any]:
    """A kind's name and settings from 'name:setting=value:setting=value+value'.

    Raises ValueError for a setting without a value.
    """
    name, *settings = (part.strip() for part in text.split(":"))
    values: dict[str, Any] = {"name": name}
    for setting in settings:
        key, equals, text_value = (part.strip() for part in setting.partition("="))
        if not (key and equals and text_value):
            raise ValueError(f"'{setting}' in '{text}' is no setting; write setting=value")
        is_list = key in ("items", "modalities")
        values[key] = text_value.split("+") if is_list else text_value
    return values


@dataclass(frozen=True)
class Variant:
    """One perturbation on one choice of modalities, as one group of series shows it."""

    name: str
    """The kind's name; with its own settings where a kind occurs more than once."""
    config: PerturbationConfig
    modality: str
    strengths: tuple[float, ...]
    n_draws: int
    control_of: str = ""
    targets: np.ndarray | None = None
    """Items whose exposure is measured, for a targeted attack and its control."""


def variants_of(config: CurveConfig, dataset: Dataset) -> list[Variant]:
    """Every kind on every choice of modalities, each attack followed by its random control.

    Raises ConfigError where a strength or target does not fit its kind or the dataset.
    """
    variants = []
    names = names_of(config.kinds)
    for kind, name in zip(config.kinds, names, strict=True):
        strengths = config.strengths or kind.strengths
        for strength in strengths:
            check_strength(kind, strength)
        for modality in config.modalities:
            if modality in ALL_MODALITIES:
                hit = kind.modalities
            elif hits(kind, modality):
                hit = (modality,)
            else:
                continue  # a picture's perturbation has no text curve
            items = kind.items if kind.items is not None else config.items
            chosen = kind.model_copy(update={"modalities": hit, "items": items})
            targets = chosen.targets(dataset) if isinstance(chosen, GoalConfig) else None
            n_draws = config.n_draws if chosen.is_drawn else 1
            variants.append(Variant(name, chosen, modality, strengths, n_draws, targets=targets))
            control = chosen.control(dataset)
            if control is not None:
                variants.append(
                    Variant(
                        control.name, control, modality, strengths, config.n_draws, name, targets
                    )
                )
    if not variants:
        raise ConfigError(
            f"none of the kinds hits {' or '.join(config.modalities)} features; choose other "
            "modalities or kinds."
        )
    return variants


def names_of(kinds: Sequence[PerturbationConfig]) -> list[str]:
    """A name for each kind: its own, and with the settings that tell it apart where it repeats.

    Raises ConfigError where two kinds are the same in every setting.
    """
    names = []
    for kind in kinds:
        alike = [other for other in kinds if other.name == kind.name]
        if sum(other == kind for other in alike) > 1:
            raise ConfigError(
                f"kinds names '{kind.name}' twice with the same settings; once will do."
            )
        differing = [
            field
            for field in type(kind).model_fields
            if len({repr(getattr(other, field)) for other in alike}) > 1
        ]
        settings = ", ".join(f"{field} {setting_text(getattr(kind, field))}" for field in differing)
        names.append(f"{kind.name} ({settings})" if settings else kind.name)
    return names


def setting_text(value: Any) -> str:
    """A setting's value as figures name it."""
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return "none" if value is None else str(value)
