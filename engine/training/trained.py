"""A trained model ready to be looked at: what every analysis takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features, load_features
from engine.foundation.devices import resolve_device
from engine.foundation.errors import BasinError
from engine.foundation.strategy_rule import TrainedAs, strategy_names
from engine.models import Recommender, build_model
from engine.training.train_config import TrainConfig


@dataclass(frozen=True)
class Trained:
    """A model in evaluation mode with the dataset and features it reads.

    ``label`` is how figures and tables call it, e.g. a run's name; ``run`` is the run's id or '';
    ``strategy`` is the strategy it is a seed of, or '' where that is to be told by its config.
    """

    model: Recommender
    dataset: Dataset
    features: Features
    config: TrainConfig
    label: str = ""
    run: str = ""
    strategy: str = ""

    @classmethod
    def from_weights(
        cls,
        config: TrainConfig,
        weights: Mapping[str, Tensor],
        dataset: Dataset,
        label: str = "",
        run: str = "",
        device: str = "auto",
        precision: str = "",
    ) -> Self:
        """Build the config's model and put ``weights`` in place.

        ``precision`` overrides the config's, e.g. 'float64' for reference results.
        Raises BasinError where names or shapes do not fit the dataset, or a weight is not finite.
        """
        place = resolve_device(device)
        exact = (precision or config.precision) == "float64"
        dtype = torch.float64 if exact else torch.float32
        model = build_model(config.model, dataset, config.seed)
        load_weights(model, weights, dataset)
        model = model.to(place, dtype)
        model.eval().requires_grad_(False)
        features = load_features(dataset, model.modalities, config.features, place, dtype)
        return cls(model, dataset, features, config, label, run)

    def factors(self) -> tuple[Tensor, Tensor]:
        """User factors [n_users, D] and item factors [n_items, D] on clean features."""
        with torch.no_grad():
            users, items = self.model(self.features)
        return users, items


def strategies_of(trained: Sequence[Trained]) -> list[str]:
    """The strategy of each model: as it says itself where all do, else told by their configs.

    Runs opened together say it; ``engine.foundation.strategy_rule`` is the rule.
    """
    if all(each.strategy for each in trained):
        return [each.strategy for each in trained]
    return strategy_names([TrainedAs(t.label, t.config.model_dump(mode="json")) for t in trained])


def load_weights(model: Recommender, weights: Mapping[str, Tensor], dataset: Dataset) -> None:
    """Put weights by name into a model of ``dataset``.

    Raises BasinError where names or shapes differ, or values are not finite.
    """
    for name, parameter in model.named_parameters():
        if name not in weights or weights[name].shape != parameter.shape:
            shape = tuple(weights[name].shape) if name in weights else "nothing"
            raise BasinError(
                f"weights of '{name}': {shape} was found, {tuple(parameter.shape)} fits "
                f"dataset '{dataset.name}' and this model; open the run with the dataset and the "
                "model settings it was trained with."
            )
        if not bool(torch.isfinite(weights[name]).all()):
            raise BasinError(
                f"weights of '{name}' hold values that are not finite, so no number of this "
                "run would mean anything; train it again, e.g. with a smaller learning rate."
            )
    model.load_theta(weights)
