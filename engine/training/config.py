"""Everything that decides a training run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.data.features import FeatureConfig
from engine.foundation.config import Config
from engine.foundation.devices import DeviceName
from engine.models import AnyModelConfig
from engine.models.vbpr import VBPRConfig
from engine.objectives import ObjectiveConfig
from engine.training.optimisers import AdamConfig, AnyOptimiserConfig
from engine.training.steppers import AnyStepperConfig, PlainConfig


class TrainConfig(Config):
    """A run: which model, what is minimised, how it steps, when it stops, from which seed."""

    model: AnyModelConfig = VBPRConfig()
    """The recommender."""
    objective: ObjectiveConfig = ObjectiveConfig()
    """What is minimised."""
    optimiser: AnyOptimiserConfig = AdamConfig()
    """The base optimiser."""
    stepper: AnyStepperConfig = PlainConfig()
    """How the optimiser is used on each batch."""
    features: FeatureConfig = FeatureConfig()
    """How features are scaled before the model reads them."""
    epochs: int = Field(default=150, ge=1, le=100_000)
    """Most passes over the training interactions."""
    batch_size: int = Field(default=2048, ge=1)
    """Triples a step (2,048 in MMRec and Mirror Gradient, 512 in AMR)."""
    validation_metric: Literal["recall", "ndcg", "precision", "map", "hr"] = "recall"
    """What chooses the epoch, on the validation split; never the test split."""
    validation_cutoff: int = Field(default=20, ge=1)
    """The k of the validation metric, in items."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations."""
    patience: int = Field(default=20, ge=1)
    """Validations without improvement after which training stops."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest gradient norm over all parameters, or none."""
    checkpoint_every: int = Field(default=20, ge=1)
    """Epochs between checkpoints, from which a run resumes exactly."""
    precision: Literal["float32", "float64"] = "float32"
    """Number format of weights and features; float64 is for reference results."""
    device: DeviceName = "auto"
    """Where it runs; auto takes a GPU if there is one."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides initial weights, shuffling, negatives and every other draw."""

    @property
    def selection(self) -> str:
        """The metric that chooses the epoch, e.g. ``recall@20``."""
        return f"{self.validation_metric}@{self.validation_cutoff}"
