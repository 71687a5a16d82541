"""The rows that are embedded."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from engine.data.perturbations.units import ALL_MODALITIES
from engine.embedding.embedding_config import EmbeddingConfig
from engine.foundation.errors import ConfigError
from engine.models import LinearProjection
from engine.training import Trained

Kind = Literal["item", "user"]


def kind_of(config: EmbeddingConfig) -> Kind:
    """Whether a row is an item or a user."""
    return "user" if config.what == "user_factors" else "item"


def rows_of(trained: Trained, config: EmbeddingConfig) -> Tensor:
    """One row an item or user [n, W].

    Raises ConfigError where the model has no such features or no linear projection.
    """
    if config.what in ("item_factors", "user_factors"):
        users_UD, items_ID = trained.factors()
        return users_UD if config.what == "user_factors" else items_ID
    model = trained.model
    chosen = [m for m in model.modalities if config.modality in (*ALL_MODALITIES, m)]
    if not chosen:
        reads = " and ".join(model.modalities) or "no features"
        raise ConfigError(
            f"what is '{config.what}' of modality '{config.modality}', but "
            f"{trained.label or type(model).__name__} reads {reads}; choose item_factors or "
            "user_factors."
        )
    if config.what == "features":
        if len(chosen) == 1:
            return trained.features[chosen[0]]
        return torch.cat([_unit(trained.features[m]) for m in chosen], dim=1)
    if not isinstance(model, LinearProjection):
        raise ConfigError(
            f"what is 'projected_features', but {type(model).__name__} does not project its "
            "features linearly; choose features or item_factors."
        )
    with torch.no_grad():
        if config.modality in ALL_MODALITIES:
            return model.project(trained.features)
        return trained.features[chosen[0]] @ model.projection_weights()[chosen[0]].T


def _unit(x: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / torch.where(norms > 0, norms, 1.0)
