"""How edited pictures and texts become the rows that a model reads.

``x' = scale(x + c (E(edited) - E(original)))``: the stored row moves by what the edit moves in the
encoder's output, so that rounding in stored rows is no edit. c is the ratio of the stored row's
length to the encoder's (1 where rows are stored as encoded), ``scale`` the run's feature scaling.
Rows that the encoder did not make are refused. Shapes: n chosen items, F feature width.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.data.encoders import ImageEncoder, TextEncoder
from engine.data.perturbations.feature_table import FeatureTable
from engine.foundation.errors import ConfigError

ALIKE = 0.99
"""Least cosine between a stored row and the encoder's row of the unedited original."""


@lru_cache(maxsize=1)
def image_encoder(device: str) -> ImageEncoder:
    """The image encoder, loaded once a process; raises MissingExtraError without the extra."""
    return ImageEncoder(device)


@lru_cache(maxsize=1)
def text_encoder(device: str) -> TextEncoder:
    """The sentence encoder, loaded once a process; raises MissingExtraError without the extra."""
    return TextEncoder(device)


class StoredRows:
    """The chosen items' rows of one modality as the dataset ships them, tied to an encoder."""

    def __init__(self, table: FeatureTable, modality: str, items: Tensor, encoded: Tensor) -> None:
        """``encoded`` [n, F]: the encoder's rows of the unedited originals.

        Raises ConfigError where stored rows and encoded ones are not alike.
        """
        dataset = table.dataset
        width = dataset.features[modality].shape[1]
        if encoded.shape[1] != width:
            raise ConfigError(
                f"{modality} features of dataset '{dataset.name}' are {width} wide, Basin's "
                f"encoder makes {encoded.shape[1]}; edits of the originals cannot be re-encoded. "
                "Perturb the features themselves instead."
            )
        stored = np.asarray(dataset.features[modality][items.cpu().numpy()], dtype=np.float32)
        self.stored = torch.from_numpy(stored).to(encoded)
        self.encoded = encoded
        lengths = torch.linalg.vector_norm(self.stored, dim=1)
        own = torch.linalg.vector_norm(encoded, dim=1)
        cosines = (self.stored * encoded).sum(dim=1) / (lengths * own).clamp_min(1e-12)
        worst = int(cosines.argmin())
        if cosines[worst] < ALIKE:
            raise ConfigError(
                f"{modality} features of dataset '{dataset.name}' were not made by Basin's encoder "
                f"(item {int(items[worst])}: cosine {float(cosines[worst]):.3f}, at least {ALIKE} "
                "is needed), so an edited original cannot be compared with them. Perturb the "
                "features themselves instead, or encode the dataset anew."
            )
        self.ratio = (lengths / own.clamp_min(1e-12))[:, None]
        self.scaling = table.scaling
        self.clean = table.rows(modality, items)
        self.largest = 1.0
        if self.scaling == "global_max":
            self.largest = float(np.abs(np.asarray(dataset.features[modality])).max())

    def model_rows(self, encoded: Tensor, rows: slice | Tensor = slice(None)) -> Tensor:
        """Model rows [n, F] for the encoder's rows of the edited originals; differentiable."""
        step = self.ratio[rows] * (encoded - self.encoded[rows])
        clean = self.clean[rows]
        if self.scaling == "unit_rows":
            whole = self.stored[rows] + step
            length = torch.linalg.vector_norm(whole, dim=1, keepdim=True).clamp_min(1e-12)
            return (whole / length).to(clean.dtype)
        return clean + (step / self.largest).to(clean.dtype)
