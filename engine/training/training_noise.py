"""Noise on the features that training sees: as augmentation, or as a catalogue that is noisy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from engine.data import Dataset
from engine.data.features import Features
from engine.data.perturbations import AnyNoiseConfig
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import changed_features, check_strength
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError


class NoiseConfig(Config):
    """The perturbation under which a model is trained; validation and test see clean features."""

    kind: AnyNoiseConfig | None = None
    """Which perturbation, or none; the same kinds as in robustness curves. Attacks are not among
    them: training against these is ``objective.adversary``. Edits of pictures and texts encode the
    whole catalogue at each draw, which takes from seconds to minutes."""
    strength: float = Field(default=0.3, ge=0)
    """Its strength, in the kind's unit (a share of the items, or of each row's length)."""
    redrawn: Literal["epoch", "never"] = "epoch"
    """``epoch``: a fresh draw for each epoch, i.e. augmentation; ``never``: one draw for the whole
    training, i.e. a catalogue whose features are noisy."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.kind is not None:
            try:
                check_strength(self.kind, self.strength)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self


class TrainingNoise:
    """The noisy features of each epoch of one run."""

    def __init__(
        self, config: NoiseConfig, dataset: Dataset, features: Features, scaling: str, seed: int
    ) -> None:
        """Raises ConfigError where the model reads nothing of what the kind hits."""
        self.config, self.seed = config, seed
        self.clean = features
        self.table = FeatureTable(dataset, features, scaling)
        if config.kind is not None and not self.table.modalities(config.kind):
            reads = ", ".join(features) or "no features"
            raise ConfigError(
                f"noise.kind {config.kind.name} hits {', '.join(config.kind.modalities)}, but the "
                f"model reads {reads}; there is nothing to perturb. Choose other modalities, a "
                "model with features, or no noise."
            )
        self._last_draw: tuple[int, Features] = (-1, features)

    def features(self, epoch: int) -> Features:
        """What the model reads in an epoch (from 1): equal for equal seeds, whatever came before.

        Without a kind, or at strength 0, the clean features themselves.
        """
        config = self.config
        if config.kind is None or config.strength == 0:
            return self.clean
        draw = epoch if config.redrawn == "epoch" and config.kind.is_drawn else 0
        if self._last_draw[0] != draw:
            change = config.kind.path(self.table, self.seed, draw).at(config.strength)
            self._last_draw = draw, changed_features(self.clean, change)
        return self._last_draw[1]
