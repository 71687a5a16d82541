"""The contract of every model: two maps, from parameters and features to factors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.foundation.config import Config, choice_name
from engine.foundation.errors import ConfigError
from engine.models.terms import TermInputs

Block = str
"""Which part of theta a parameter belongs to: ``users``, ``items``, or a name of the model's."""


class ModelConfig(Config):
    """Base of the models' configs; each has a Literal ``name``."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> Recommender:
        """The model with freshly drawn weights; raises ConfigError as ``build_model`` does."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it builds.")


class MultimodalConfig(ModelConfig):
    """Base of the configs of models that read features."""

    modalities: tuple[str, ...] = ()
    """Which features it reads, e.g. image and text; empty for all that the dataset has. Naming one
    that the dataset lacks is an error."""


@dataclass(frozen=True)
class ModelOutput:
    """Factors, and what the model's own loss terms need besides."""

    users: Tensor
    """User factors [n_users, D], or [B, D] of a batch's users."""
    items: Tensor
    """Item factors [n_items, D], or [N, D] of a batch's items."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Whatever the model's ``terms`` read, under names of its own, e.g. a modality's embeddings of
    all nodes; nothing else reads them."""


class Recommender(nn.Module, ABC):
    """Scores are inner products of user and item factors: ``s_ui = <U_u, V_i>``.

    Features are always an argument, so every perturbation and attack works on every model.
    A subclass declares what is true of its maps:

    - ``modalities``: the modalities it reads, () for none;
    - ``blocks``: the block of each parameter, by the first part of its name; what is not named
      belongs to ``projection``;
    - ``affine``: whether both maps are affine in the parameters (slices use it);
    - ``row_local``: whether item i's factor depends on no other item's features, so that a batch
      needs only its own rows;
    - ``term_names``: the loss terms it adds, () for none;
    - ``ranks``: whether training minimises the ranking loss, or its own terms alone;
    - ``holds_constant``: whether terms hold part of what they compute constant, so that their
      gradient is not the derivative of their value.
    """

    affine: ClassVar[bool]
    blocks: ClassVar[Mapping[str, Block]] = MappingProxyType({"users": "users", "items": "items"})
    row_local: ClassVar[bool] = True
    term_names: tuple[str, ...] = ()
    ranks: ClassVar[bool] = True
    holds_constant: ClassVar[bool] = False

    def __init__(self, config: ModelConfig, dataset: Dataset) -> None:
        super().__init__()
        self.config = config
        self.n_users = dataset.n_users
        self.n_items = dataset.n_items
        self.modalities: tuple[str, ...] = ()

    @abstractmethod
    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        """Factors [n_users, D], or [len(users), D] of the given ids.

        ``features`` matter only to models whose user factors see items (graph models).
        """

    @abstractmethod
    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        """Factors [n_items, D], or [len(items), D] of the given ids.

        With ``items``, a row-local model takes ``features`` of just those rows, in that order; any
        other model takes all rows.
        """

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """User factors [n_users, D] and item factors [n_items, D]."""
        return self.user_factors(features), self.item_factors(features)

    def batch_factors(
        self, features: Features, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Factors of the given users and items; ``features`` as item_factors takes them."""
        return self.user_factors(features, users), self.item_factors(features, items)

    def batch_output(self, features: Features, users: Tensor, items: Tensor) -> ModelOutput:
        """As ``batch_factors``, with what ``terms`` need besides from the same computation."""
        return ModelOutput(*self.batch_factors(features, users, items))

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What MMRec's norm penalty acts on: a batch's factors, unless the model overrides it."""
        return user_factors, item_factors

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        """The weighted loss terms (scalars) of one batch, by the names in ``term_names``."""
        del batch
        return {}

    def start_epoch(self, seed: int, epoch: int) -> None:
        """Draw what training keeps fixed within an epoch, by its run's seed and number from 1.

        It acts in training mode only; by default there is nothing to draw.
        """
        del seed, epoch

    def block(self, parameter: str) -> Block:
        """The block a parameter, by its state_dict name, belongs to."""
        return self.blocks.get(parameter.split(".")[0], "projection")

    def theta(self) -> dict[str, Tensor]:
        """Detached copies of all parameters by name."""
        return {name: p.detach().clone() for name, p in self.named_parameters()}

    def load_theta(self, theta: Mapping[str, Tensor]) -> None:
        """Put parameters in place, by name."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(theta[name])


@runtime_checkable
class LinearProjection(Protocol):
    """A model whose features enter only through one sum of linear maps, row by row.

    ``V_i = combine(sum_m A_m x_i^m + b, i)``. Then a perturbation of x acts on V only through
    ``A_m``, and attacks need the small Gram matrices ``A_m A_m^T`` instead of the feature width.
    """

    def projection_weights(self) -> dict[str, Tensor]:
        """``A_m`` [P, F_m] by modality."""

    def project(self, features: Features, items: Tensor | None = None) -> Tensor:
        """``sum_m A_m x^m + b`` [rows, P].

        Of all rows of ``features``, or of those of the given items; then it may be differentiable
        only once, and in the parameters only.
        """

    def combine(self, projected: Tensor, items: Tensor | None = None) -> Tensor:
        """Item factors [rows, D] from projected features [rows, P] of the given items."""


def readable_modalities(config: MultimodalConfig, dataset: Dataset) -> tuple[str, ...]:
    """The modalities a config's model reads here; ConfigError where one is missing, or all are."""
    name = choice_name(type(config))
    here = ", ".join(dataset.features) or "no features"
    missing = [m for m in config.modalities if m not in dataset.features]
    if missing or not dataset.features:
        raise ConfigError(
            f"{name} reads {', '.join(missing) or 'item'} features, but dataset '{dataset.name}' "
            f"has {here}; set model.modalities to what is there, or choose bpr-mf or lightgcn."
        )
    return config.modalities or tuple(dataset.features)


def xavier_uniform(*shape: int, generator: torch.Generator, fan_in: int | None = None) -> Tensor:
    """A Xavier-uniform matrix [rows, columns]; ``fan_in`` overrides the column count."""
    rows, columns = shape
    bound = (6.0 / (rows + (fan_in or columns))) ** 0.5
    return (torch.rand(rows, columns, generator=generator) * 2 - 1) * bound
