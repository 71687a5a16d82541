"""What is minimised: ranking loss, the model's own terms, a regulariser, maybe an adversary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.foundation.config import Config
from engine.models import LinearProjection, ModelOutput, Recommender
from engine.objectives.amr import AMRConfig, FeatureAdversary
from engine.objectives.apr import APRConfig
from engine.objectives.batch import Adversary, Batch, Step, Triples, loss_of
from engine.objectives.bpr import NormPenaltyConfig, SquaredPenaltyConfig, bpr_loss
from engine.objectives.pamacf import PamaCFConfig
from engine.objectives.pgd_training import PGDConfig

AnyAdversaryConfig = Annotated[
    AMRConfig | PGDConfig | APRConfig | PamaCFConfig, Field(discriminator="name")
]


class ObjectiveConfig(Config):
    """What training minimises."""

    reduction: Literal["mean", "sum"] = "mean"
    """BPR loss over a batch: ``mean`` (MMRec, Mirror Gradient) or ``sum`` (AMR)."""
    regulariser: Annotated[
        NormPenaltyConfig | SquaredPenaltyConfig, Field(discriminator="name")
    ] = NormPenaltyConfig()
    """Penalty on the rows a batch uses; the published rates of one form do not fit the other."""
    adversary: AnyAdversaryConfig | None = None
    """An adversarial term, or none."""


class Objective:
    """A config bound to one model and its features; called with a batch of triples."""

    def __init__(self, config: ObjectiveConfig, model: Recommender, features: Features) -> None:
        self.config = config
        self.regulariser = config.regulariser.build()
        self.adversary: Adversary | None = None
        if config.adversary is not None:
            self.adversary = config.adversary.build(model, features)

    @property
    def passes(self) -> int:
        """Gradient passes that one batch costs."""
        return 1 if self.adversary is None else self.adversary.passes

    def ranking(self, margins: Tensor) -> Tensor:
        """The ranking loss alone (a scalar) from margins [B]."""
        return bpr_loss(margins, self.config.reduction)

    def start(
        self,
        model: Recommender,
        triples: Triples,
        features: Features,
        generator: torch.Generator,
    ) -> Step:
        """The forward pass of one batch up to its clean loss."""
        batch = Batch.gather(model, triples, features)
        projected = None
        extras: Mapping[str, Tensor] = {}
        if isinstance(model, LinearProjection):
            users = model.user_factors({}, triples.users)
            projected = model.project(features, batch.items)
            items = model.combine(projected, batch.items)
        else:
            output = model.batch_output(batch.features, triples.users, batch.items)
            users, items, extras = output.users, output.items, output.extras
        clean = loss_of(
            model, batch, ModelOutput(users, items, extras), None, self.ranking, generator
        )
        return Step(model, batch, users, items, projected, clean, self.ranking, generator, extras)

    def __call__(
        self,
        model: Recommender,
        triples: Triples,
        features: Features,
        generator: torch.Generator,
    ) -> Tensor:
        """The loss of one batch (a scalar); ``generator`` draws what the objective draws."""
        step = self.start(model, triples, features, generator)
        loss = step.clean
        if self.adversary is not None:
            loss = loss + self.adversary.term(step)
        return loss + self.regulariser(model, step.batch, step.users, step.items)


__all__ = [
    "AMRConfig",
    "APRConfig",
    "Adversary",
    "Batch",
    "FeatureAdversary",
    "NormPenaltyConfig",
    "Objective",
    "ObjectiveConfig",
    "PGDConfig",
    "PamaCFConfig",
    "SquaredPenaltyConfig",
    "Step",
    "Triples",
    "bpr_loss",
    "of_length",
]
