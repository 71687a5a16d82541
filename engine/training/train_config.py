"""Everything that decides a training run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.data.features import FeatureConfig
from engine.data.negatives import NegativeSource
from engine.foundation.config import Config
from engine.foundation.devices import DeviceName
from engine.models import AnyModelConfig
from engine.models.multimodal.vbpr import VBPRConfig
from engine.objectives import ObjectiveConfig
from engine.training.stepping.averaging import AnyAveragingConfig
from engine.training.stepping.mirror_gradient import MirrorGradientConfig
from engine.training.stepping.optimisers import AdamConfig, AnyOptimiserConfig
from engine.training.stepping.schedules import ScheduleConfig
from engine.training.stepping.sharpness_aware import ASAMConfig, GradientNormConfig, SAMConfig
from engine.training.stepping.steppers import PlainConfig
from engine.training.training_noise import NoiseConfig

AnyStepperConfig = Annotated[
    PlainConfig | MirrorGradientConfig | SAMConfig | ASAMConfig | GradientNormConfig,
    Field(discriminator="name"),
]


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
    schedule: ScheduleConfig = ScheduleConfig()
    """How the step size changes over the epochs."""
    averaging: AnyAveragingConfig | None = None
    """Average of the weights that is evaluated and chosen instead of them, or none."""
    features: FeatureConfig = FeatureConfig()
    """How features are scaled before the model reads them."""
    noise: NoiseConfig = NoiseConfig()
    """Perturbation of the features while training, or none."""
    start_from: str | None = None
    """Id of the finished run whose chosen weights training begins at, with a fresh optimiser and
    without a warm start; same dataset, model and shapes. None: weights drawn from the seed."""
    epochs: int = Field(default=150, ge=1, le=100_000)
    """Most passes over the training interactions; with an adversary's warm start, of those after
    it."""
    batch_size: int = Field(default=2048, ge=1)
    """Triples a step (2,048 in MMRec and Mirror Gradient, 512 in AMR)."""
    negatives_from: NegativeSource = "train"
    """``train``: negatives are items that occur in training, as MMRec, Mirror Gradient and AMR draw
    them; an item that does not (a cold item) is then never pushed down, keeps its drawn embedding
    and scores by its features. ``all``: of the whole catalogue, which ranks cold items last."""
    negative_pool: int | None = Field(default=None, ge=1)
    """Negatives (items) that a batch shares, drawn anew for each batch; none draws every triple's
    negative alone. Each negative stays uniform; a pool makes large catalogues faster."""
    match_gradient_passes: int | None = Field(default=None, ge=1)
    """Train for so many gradient passes, whatever epochs and patience say: the compute-matched
    baseline of a strategy that used that many. Exactly so many where a step takes one; else the
    last step that would take more is left out. A decay ends with them; a warm start counts, and
    ends as always. None: off."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Stop at the end of the epoch in which training has taken so long, in seconds."""
    validation_metric: Literal["recall", "ndcg", "precision", "map", "hr"] = "recall"
    """What chooses the epoch, on the validation split; never the test split."""
    validation_cutoff: int = Field(default=20, ge=1)
    """The k of the validation metric, in items."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations."""
    patience: int = Field(default=20, ge=1)
    """Validations without improvement after which training stops."""
    keep_last_epoch: bool = False
    """Train for ``epochs`` and keep the last epoch's weights, whatever validation says, as AMR's
    released code does; needed where a dataset has no validation split."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest gradient norm over all parameters, or none."""
    checkpoint_every: int = Field(default=20, ge=1)
    """Epochs between checkpoints, from which a run resumes exactly."""
    snapshots_every: int | None = Field(default=None, ge=1)
    """Epochs between weights kept for drawing the training trajectory on a slice; none keeps none.
    Each takes as much disk as the weights."""
    precision: Literal["float32", "float64"] = "float32"
    """Number format of weights and features; float64 is for reference results."""
    feature_precision: Literal["auto", "same", "bfloat16"] = "auto"
    """Features while training: auto takes bfloat16 where the processor multiplies it faster (AMX,
    AVX512-BF16, recent GPUs), else the format of the weights. Final metrics use the weights'."""
    deterministic: bool = False
    """On GPUs, sum in a fixed order and let torch refuse operations that cannot; it costs time. On
    CPUs one seed always gives one result, however threads are timed."""
    device: DeviceName = "auto"
    """Where it runs; auto takes a GPU if there is one."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides initial weights, shuffling, negatives and every other draw."""

    @property
    def selection(self) -> str:
        """The metric that chooses the epoch, e.g. ``recall@20``."""
        return f"{self.validation_metric}@{self.validation_cutoff}"
