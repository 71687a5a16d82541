"""The trained model a perturbation acts on, with what is computed once for every strength.

Shapes: U users, I items, D factor width, P width of a linear projection, F feature width.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from engine.data.features import Features
from engine.data.negatives import NegativeSampler
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import torch_generator
from engine.models import LinearProjection, Recommender
from engine.objectives import Triples
from engine.robustness.perturbation import Norm, PerturbationConfig, Unit
from engine.training import Trained

TRIPLES_SEED = 0
"""Decides the frozen negatives; one for all runs, so that attacks on them are comparable."""


class Subject:
    """A trained model, read only: nothing here changes its weights or features."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.model: Recommender = trained.model
        self.dataset = trained.dataset
        self.features: Features = trained.features
        self._norms: dict[str, Tensor] = {}
        self._largest: dict[str, float] = {}

    @cached_property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    @cached_property
    def linear(self) -> LinearProjection | None:
        """The model seen as a linear projection, or None where it is none."""
        model = self.model
        return model if isinstance(model, LinearProjection) and model.row_local else None

    @cached_property
    def clean_factors(self) -> tuple[Tensor, Tensor]:
        """User factors [U, D] and item factors [I, D] on clean features."""
        return self.trained.factors()

    @cached_property
    def projected(self) -> Tensor:
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

    def modalities(self, config: PerturbationConfig) -> tuple[str, ...]:
        """The modalities a config hits in this model; () where it reads none of them."""
        return tuple(m for m in self.model.modalities if m in config.modalities)

    def items(self, config: PerturbationConfig) -> Tensor:
        """Ids of the items a config may hit, ascending, int64 [n].

        Raises ConfigError where an id is not in the dataset.
        """
        chosen = config.hit_items(self.dataset)
        if chosen is None:
            return torch.arange(self.dataset.n_items, device=self.device)
        wrong = chosen[(chosen < 0) | (chosen >= self.dataset.n_items)]
        if len(wrong):
            raise ConfigError(
                f"{config.title}: item {wrong[0]} is not in dataset '{self.dataset.name}'; ids "
                f"are 0 to {self.dataset.n_items - 1}."
            )
        return torch.from_numpy(chosen).to(self.device)

    def rows(self, modality: str, items: Tensor) -> Tensor:
        """Clean features [n, F] of some items; all of them without copying."""
        x_IF = self.features[modality]
        return x_IF if len(items) == len(x_IF) else x_IF.index_select(0, items)

    def lengths(self, modality: str, items: Tensor, norm: Norm, unit: Unit) -> Tensor:
        """What strength 1 is for each of the items [n]: an L2 length, or a largest coordinate."""
        if unit == "row_norm":
            lengths = self._row_norms(modality).index_select(0, items)
            return lengths / self.width(modality) ** 0.5 if norm == "linf" else lengths
        value = self._largest_value(modality) if unit == "global_max" else 1.0
        return torch.full((len(items),), value, device=self.device, dtype=self.dtype)

    def width(self, modality: str) -> int:
        """F of one modality."""
        return int(self.features[modality].shape[1])

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the features."""
        return next(iter(self.features.values())).dtype if self.features else torch.float32

    def _row_norms(self, modality: str) -> Tensor:
        if modality not in self._norms:
            self._norms[modality] = torch.linalg.vector_norm(self.features[modality], dim=1)
        return self._norms[modality]

    def _largest_value(self, modality: str) -> float:
        if modality not in self._largest:
            self._largest[modality] = float(self.features[modality].abs().max())
        return self._largest[modality]


def normal(subject: Subject, modality: str, items: Tensor, seed: int, draw: int) -> Tensor:
    """Standard normal numbers [n, F] for the chosen items of one modality.

    Item i's row does not depend on which other items are chosen: the whole matrix is drawn, so that
    a picture of one item and a curve over all of them show the same draw.
    """
    generator = torch_generator(seed, f"normal {modality}", draw)
    whole = torch.randn(subject.dataset.n_items, subject.width(modality), generator=generator).to(
        device=subject.device, dtype=subject.dtype
    )
    return whole if len(items) == len(whole) else whole.index_select(0, items)
