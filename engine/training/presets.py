"""Named starting points: a strategy is what is minimised and how it steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.data.features import FeatureConfig
from engine.foundation.errors import ConfigError
from engine.models import FREEDOMConfig, LightGCNConfig, VBPRConfig
from engine.objectives import (
    AMRConfig,
    APRConfig,
    NormPenaltyConfig,
    ObjectiveConfig,
    PGDConfig,
    SquaredPenaltyConfig,
)
from engine.training.stepping.averaging import EMAConfig, SWAConfig
from engine.training.stepping.mirror_gradient import MirrorGradientConfig
from engine.training.stepping.optimisers import AdagradConfig, AdamWConfig, SGDConfig
from engine.training.stepping.sharpness_aware import ASAMConfig, GradientNormConfig, SAMConfig
from engine.training.train_config import TrainConfig

PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "plain": (
        "BPR by plain Adam: the baseline (settings of Mirror Gradient's released code, but the "
        "epoch is chosen by validation Recall@20, not Recall@5)",
        TrainConfig(),
    ),
    "mg": (
        "Mirror Gradient, alpha 1.0 / 0.2, every 3rd batch (arXiv 2402.11262)",
        TrainConfig(stepper=MirrorGradientConfig()),
    ),
    "mg-published": (
        "Mirror Gradient as released: the epoch is chosen by validation Recall@5, and a clip norm, "
        "where one is set, leaves the first half of a mirror step alone",
        TrainConfig(stepper=MirrorGradientConfig(clip="second"), validation_cutoff=5),
    ),
    "mg+sam": (
        "Mirror steps around SAM's gradient, rho 0.05; twice the gradient passes of mg",
        TrainConfig(stepper=MirrorGradientConfig(around=SAMConfig())),
    ),
    "amr": (
        "Adversarial features, epsilon 0.3 of each row's norm, lambda 1, from a trained model "
        "(method of arXiv 1809.07062). In AMR's unit, features over their global largest value, "
        "that is about 1.0 to 1.3 on the sample and ml100k-posters: ten times the published 0.1",
        TrainConfig(objective=ObjectiveConfig(adversary=AMRConfig())),
    ),
    "mg+amr": (
        "Both: AMR is what is minimised, Mirror Gradient how it steps",
        TrainConfig(
            objective=ObjectiveConfig(adversary=AMRConfig()), stepper=MirrorGradientConfig()
        ),
    ),
    "mg-sgd": (
        "Mirror Gradient under plain SGD with a global counter: exactly the paper's Algorithm 1",
        TrainConfig(
            optimiser=SGDConfig(learning_rate=1.0),
            stepper=MirrorGradientConfig(counter="global"),
            batch_size=512,
            epochs=300,
        ),
    ),
    "sam": (
        "Sharpness-aware minimisation, rho 0.05 (arXiv 2010.01412)",
        TrainConfig(stepper=SAMConfig()),
    ),
    "asam": (
        "Adaptive sharpness-aware minimisation, rho 0.5 (arXiv 2102.11600)",
        TrainConfig(stepper=ASAMConfig()),
    ),
    "gradient-norm": (
        "Explicit gradient-norm penalty, weight 0.08, radius 0.1 (arXiv 2202.03599 and its "
        "released recipe): Mirror Gradient's control",
        TrainConfig(stepper=GradientNormConfig()),
    ),
    "weight-decay": (
        "Decoupled weight decay 0.01 (AdamW, arXiv 1711.05101); sweep optimiser.weight_decay",
        TrainConfig(optimiser=AdamWConfig()),
    ),
    "swa": (
        "Mean of the weights at the ends of epochs 15 and later (arXiv 1803.05407; the start is "
        "Basin's choice)",
        TrainConfig(averaging=SWAConfig()),
    ),
    "ema": (
        "Exponential moving average of the weights, decay 0.99 (averaging as in Polyak and "
        "Juditsky 1992; the decay is Basin's choice)",
        TrainConfig(averaging=EMAConfig()),
    ),
    "noise": (
        "Random perturbation of AMR's norm instead of the gradient's: AMR's control",
        TrainConfig(objective=ObjectiveConfig(adversary=AMRConfig(direction="random"))),
    ),
    "pgd": (
        "Adversarial features by 3 steps of PGD in L2, epsilon 0.3 of each row's norm, in AMR's "
        "unit about 1.0 to 1.3 (method of arXiv 1706.06083; steps and epsilon are Basin's choice)",
        TrainConfig(objective=ObjectiveConfig(adversary=PGDConfig())),
    ),
    "apr": (
        "Adversarial embeddings, epsilon 0.5 (arXiv 1808.03908)",
        TrainConfig(objective=ObjectiveConfig(adversary=APRConfig())),
    ),
    "amr-published": (
        "AMR with its released code's settings: summed loss, Adagrad, image only, epsilon 0.1 of "
        "globally scaled features (arXiv 1809.07062), which is .02 to .03 of a row's norm on the "
        "sample and ml100k-posters; its small rates want long training, so up to 300 plain epochs "
        "come first (the code starts from trained VBPR and takes 2,000)",
        TrainConfig(
            model=VBPRConfig(form="sum", modalities=("image",)),
            objective=ObjectiveConfig(
                reduction="sum",
                regulariser=SquaredPenaltyConfig(),
                adversary=AMRConfig(
                    epsilon=0.1, unit="absolute", modalities=("image",), warm_start_epochs=300
                ),
            ),
            optimiser=AdagradConfig(),
            features=FeatureConfig(scaling="global_max"),
            batch_size=512,
            epochs=1000,
            validate_every=10,
        ),
    ),
    "lightgcn-published": (
        "LightGCN as its authors run it: three layers, normal initialisation, squared penalty 1e-4 "
        "on the embeddings (arXiv 2002.02126 and its released code)",
        TrainConfig(
            model=LightGCNConfig(n_layers=3, initialisation="normal"),
            objective=ObjectiveConfig(
                regulariser=SquaredPenaltyConfig(users=5e-5, items=5e-5, reduction="mean")
            ),
            epochs=1000,
        ),
    ),
    "freedom-published": (
        "FREEDOM as released: no penalty on embeddings, and an item graph that stays as it was, so "
        "that features changed after training change no score (arXiv 2211.06924)",
        TrainConfig(
            model=FREEDOMConfig(item_graph="frozen"),
            objective=ObjectiveConfig(regulariser=NormPenaltyConfig(weight=0.0)),
            epochs=1000,
        ),
    ),
}
"""Each preset's one-line description and config."""


def preset(name: str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """A preset's config, with dotted fields replaced.

    Raises ConfigError for an unknown name or field.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset '{name}' is unknown; there are {', '.join(PRESETS)}.")
    return PRESETS[name][1].changed(overrides or {})
