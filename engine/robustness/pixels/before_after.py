"""One picture before and after a perturbation, for the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.data import Dataset
from engine.data.encoders import read_pixels
from engine.data.perturbations.pixels.picture import PictureConfig, PictureEditConfig, Pictures
from engine.foundation.errors import ConfigError
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.training import Trained


@dataclass(frozen=True)
class PictureChange:
    """One item's picture, uint8 [224, 224, 3] each."""

    item: int
    before: np.ndarray
    after: np.ndarray
    difference: np.ndarray
    """The change times ``amplified``, around middle grey."""
    amplified: float
    largest: float
    """Largest change of a value, in 1/255."""
    features_moved: float | None
    """Length of the change of the item's feature row, relative to the row; None where no encoder
    looked at it."""

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        text = (
            f"No value changes by more than {self.largest:.0f}/255; the difference is shown "
            f"{self.amplified:.0f} times as strong. "
        )
        if self.features_moved is None:
            return text + "What it does to features depends on the encoder, and is not shown here."
        return text + (
            f"The features move by {self.features_moved:.1%} of their length. This holds for "
            "Basin's encoder; another one sees another change."
        )


def picture_change(
    trained: Trained,
    config: PictureConfig,
    strength: float,
    item: int,
    seed: int = 0,
    draw: int = 0,
) -> PictureChange:
    """The picture of one item before and after; an untargeted attack is carried out on it alone.

    Raises ConfigError where the item has no picture, MissingExtraError without the encoder.
    """
    model = ModelUnderTest(trained)
    if "image" not in model.recommender.modalities:
        raise ConfigError(f"{model.name} reads no image features; choose a run that does.")
    alone = config.model_copy(update={"items": (item,)})
    pictures = Pictures(model, alone)
    before = pictures.pixels()
    after = before
    if strength > 0:
        (_, after), *_ = list(alone.whole_edit(model, pictures, strength, seed, draw))
    with torch.no_grad():
        row = pictures.rows.model_rows(pictures.encoder.features(after))
    clean = pictures.rows.clean
    moved = torch.linalg.vector_norm(row - clean) / torch.linalg.vector_norm(clean)
    return _change(item, before[0], after[0], float(moved))


def picture_edit(
    dataset: Dataset,
    config: PictureEditConfig,
    strength: float,
    item: int,
    seed: int = 0,
    draw: int = 0,
) -> PictureChange:
    """The picture of one item before and after an edit; needs no encoder and no model.

    Raises ConfigError where the item has no picture, DataError where it cannot be read.
    """
    path = str(dataset.items["image_path"].iloc[item])
    if not path:
        raise ConfigError(
            f"item {item} of dataset '{dataset.name}' has no picture; choose another item."
        )
    before = torch.from_numpy(read_pixels(path))[None]
    after = config.edit(before, [item], strength, seed, draw) if strength > 0 else before
    return _change(item, before[0], after[0], None)


def _change(
    item: int, before_3HW: torch.Tensor, after_3HW: torch.Tensor, moved: float | None
) -> PictureChange:
    change = after_3HW - before_3HW
    largest = float(change.abs().max())
    amplified = max(1.0, float(np.floor(0.5 / largest))) if largest > 0 else 1.0
    return PictureChange(
        item=item,
        before=_as_bytes(before_3HW),
        after=_as_bytes(after_3HW),
        difference=_as_bytes((0.5 + amplified * change).clamp(0, 1)),
        amplified=amplified,
        largest=255 * largest,
        features_moved=moved,
    )


def _as_bytes(pixels_3HW: torch.Tensor) -> np.ndarray:
    return (pixels_3HW * 255).round().byte().permute(1, 2, 0).cpu().numpy()
