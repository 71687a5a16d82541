"""What is minimised: a ranking loss, a regulariser, and optionally an adversarial term."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features
from engine.foundation.config import Config
from engine.models import LinearProjection, Recommender
from engine.objectives.amr import AMRConfig, FeatureAdversary, of_length
from engine.objectives.batch import Batch, Triples
from engine.objectives.ranking import NormPenaltyConfig, SquaredPenaltyConfig, bpr_loss


class ObjectiveConfig(Config):
    """What training minimises."""

    reduction: Literal["mean", "sum"] = "mean"
    """BPR loss over a batch: ``mean`` (MMRec, Mirror Gradient) or ``sum`` (AMR)."""
    regulariser: Annotated[
        NormPenaltyConfig | SquaredPenaltyConfig, Field(discriminator="name")
    ] = NormPenaltyConfig()
    """Penalty on the rows a batch uses; the published rates of one form do not fit the other."""
    adversary: AMRConfig | None = None
    """An adversarial term, or none."""


class Objective:
    """A config bound to one model and its features; called with a batch of triples."""

    def __init__(self, config: ObjectiveConfig, model: Recommender, features: Features) -> None:
        self.config = config
        self.regulariser = config.regulariser.build()
        self.adversary: FeatureAdversary | None = None
        if config.adversary is not None:
            self.adversary = config.adversary.build(model, features)

    def ranking(self, margins: Tensor) -> Tensor:
        """The ranking loss alone (a scalar) from margins [B]."""
        return bpr_loss(margins, self.config.reduction)

    def __call__(
        self,
        model: Recommender,
        triples: Triples,
        features: Features,
        generator: torch.Generator,
    ) -> Tensor:
        """The loss of one batch (a scalar); ``generator`` draws what the objective draws."""
        batch = Batch.gather(model, triples, features)
        if isinstance(model, LinearProjection) and not self._draws:
            return self._projected(model, batch)
        users, items = model.batch_factors(batch.features, triples.users, batch.items)
        loss = self.ranking(batch.margins(users, items))
        if self.adversary is not None:
            loss = loss + self.adversary.term(model, batch, self.ranking, generator)
        return loss + self.regulariser(model, batch, users, items)

    @property
    def _draws(self) -> bool:
        # A drawn perturbation has a part outside the span of A, which moves A's gradient.
        adversary = self.config.adversary
        return adversary is not None and adversary.direction == "random"

    def _projected(self, model: LinearProjection, batch: Batch) -> Tensor:
        assert isinstance(model, Recommender)
        users = model.user_factors({}, batch.triples.users)
        projected = model.project(batch.features)
        items = model.combine(projected, batch.items)
        clean = self.ranking(batch.margins(users, items))
        loss = clean
        if self.adversary is not None:
            loss = clean + self.adversary.projected_term(
                model, batch, projected, users, clean, self.ranking
            )
        return loss + self.regulariser(model, batch, users, items)


__all__ = [
    "AMRConfig",
    "Batch",
    "FeatureAdversary",
    "NormPenaltyConfig",
    "Objective",
    "ObjectiveConfig",
    "SquaredPenaltyConfig",
    "Triples",
    "bpr_loss",
    "of_length",
]
