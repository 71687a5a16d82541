"""Item features as tensors: which modalities, how scaled, in which precision, on which device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError

Features = dict[str, Tensor]
"""Features by modality, each [n_items, width] (or [n_rows, width] where rows were chosen)."""


class FeatureConfig(Config):
    """How the features a dataset ships become the features a model reads."""

    scaling: Literal["none", "global_max", "unit_rows"] = "none"
    """Scaling of each modality: as shipped (MMRec), divided by the largest absolute value of the
    whole matrix (AMR's released code; makes epsilon comparable to its 0.1), or rows to length 1."""


def load_features(
    dataset: Dataset,
    modalities: Sequence[str],
    config: FeatureConfig,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Features:
    """Features of the named modalities, each [n_items, width] on ``device``.

    Raises ConfigError where the dataset lacks a modality.
    """
    loaded: Features = {}
    for modality in modalities:
        if modality not in dataset.features:
            here = ", ".join(dataset.features) or "none"
            raise ConfigError(
                f"the model reads {modality} features, but dataset '{dataset.name}' has {here}; "
                "choose other modalities or a model without features."
            )
        x = torch.from_numpy(np.array(dataset.features[modality])).to(device=device)
        loaded[modality] = scaled(
            x.to(torch.float64 if dtype == torch.float64 else torch.float32), config
        ).to(dtype)
    return loaded


def scaled(x_IF: Tensor, config: FeatureConfig) -> Tensor:
    """One modality's features [n_items, width] under the config's scaling; zero rows stay zero."""
    if config.scaling == "global_max":
        return x_IF / x_IF.abs().max().clamp_min(torch.finfo(x_IF.dtype).tiny)
    if config.scaling == "unit_rows":
        norms = torch.linalg.vector_norm(x_IF, dim=1, keepdim=True)
        return x_IF / norms.clamp_min(torch.finfo(x_IF.dtype).tiny)
    return x_IF


def of_length(directions: Tensor, lengths: Tensor) -> Tensor:
    """Rows of ``directions`` [..., F] scaled to ``lengths`` [...]; a zero row stays zero.

    Rows are first divided by their largest entry, so that gradients as small as 1e-30 neither
    underflow nor lose their direction.
    """
    largest = directions.abs().amax(dim=-1, keepdim=True)
    safe = directions / torch.where(largest > 0, largest, 1.0)
    norms = torch.linalg.vector_norm(safe, dim=-1, keepdim=True)
    return safe / torch.where(norms > 0, norms, 1.0) * lengths.to(directions.dtype)[..., None]
