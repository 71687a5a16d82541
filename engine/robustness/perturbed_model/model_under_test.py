"""The trained model a perturbation acts on, with what is computed once for every strength.

Shapes: U users, I items, D factor width, P width of a linear projection, F feature width.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from engine.data.negatives import NegativeSampler
from engine.data.perturbations.feature_table import FeatureTable
from engine.foundation.seeding import torch_generator
from engine.models import LinearProjection, Recommender
from engine.objectives import Triples
from engine.training import Trained

TRIPLES_SEED = 0
"""Decides the frozen negatives; one for all runs, so that attacks on them are comparable."""


class ModelUnderTest(FeatureTable):
    """A trained model with its features, read only: nothing here changes weights or features."""

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained.dataset, trained.features, trained.config.features.scaling)
        self.trained = trained
        self.recommender: Recommender = trained.model

    @classmethod
    def of(cls, table: FeatureTable) -> ModelUnderTest:
        """The table, if it is a model's; raises TypeError for features without a model."""
        if not isinstance(table, ModelUnderTest):
            raise TypeError("an attack follows a model's gradient, and these features have none")
        return table

    @property
    def name(self) -> str:
        """How messages call it: its run's label, or its kind."""
        return self.trained.label or type(self.recommender).__name__

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.recommender.parameters()).device

    @cached_property
    def linear(self) -> LinearProjection | None:
        """The model seen as a linear projection, or None where it is none."""
        network = self.recommender
        return network if isinstance(network, LinearProjection) and network.row_local else None

    @cached_property
    def clean_factors(self) -> tuple[Tensor, Tensor]:
        """User factors [U, D] and item factors [I, D] on clean features."""
        return self.trained.factors()

    @cached_property
    def projected_features(self) -> Tensor:
        """Clean projected features [I, P]; only for a linear projection."""
        assert self.linear is not None
        with torch.no_grad():
            return self.linear.project(self.features)

    @cached_property
    def grams(self) -> dict[str, Tensor]:
        """``A_m A_m^T`` [P, P] by modality; only for a linear projection."""
        assert self.linear is not None
        with torch.no_grad():
            return {m: a @ a.T for m, a in self.linear.projection_weights().items()}

    @cached_property
    def triples(self) -> Triples:
        """Frozen triples: every training pair with one negative, the same for every run."""
        pairs = self.dataset.train
        users, items = torch.tensor(pairs.users), torch.tensor(pairs.items)
        draws = torch_generator(TRIPLES_SEED, "robustness triples")
        negatives = NegativeSampler(self.dataset).sample(users, draws)
        return Triples(*(ids.to(self.device) for ids in (users, items, negatives)))
