"""One picture before and after a perturbation, for the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.foundation.errors import ConfigError
from engine.robustness.pixels.picture import PictureConfig, Pictures
from engine.robustness.subject import Subject
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
    features_moved: float
    """Length of the change of the item's feature row, relative to the row."""

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        return (
            f"No value changes by more than {self.largest:.0f}/255; the difference is shown "
            f"{self.amplified:.0f} times as strong. The features move by {self.features_moved:.1%} "
            "of their length. This holds for Basin's encoder; another one sees another change."
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
    subject = Subject(trained)
    if "image" not in subject.model.modalities:
        raise ConfigError(
            f"{trained.label or type(subject.model).__name__} reads no image features; choose a "
            "run that does."
        )
    alone = config.model_copy(update={"items": (item,)})
    pictures = Pictures(subject, alone)
    before = pictures.pixels()
    after = before
    if strength > 0:
        (_, after), *_ = list(alone.whole_edit(subject, pictures, strength, seed, draw))
    with torch.no_grad():
        row = pictures.rows.moved(pictures.encoder.features(after))
    clean = pictures.rows.clean
    moved = torch.linalg.vector_norm(row - clean) / torch.linalg.vector_norm(clean)
    change = (after - before)[0]
    largest = float(change.abs().max())
    amplified = max(1.0, float(np.floor(0.5 / largest))) if largest > 0 else 1.0
    return PictureChange(
        item=item,
        before=_shown(before[0]),
        after=_shown(after[0]),
        difference=_shown((0.5 + amplified * change).clamp(0, 1)),
        amplified=amplified,
        largest=255 * largest,
        features_moved=float(moved),
    )


def _shown(pixels_3HW: torch.Tensor) -> np.ndarray:
    return (pixels_3HW * 255).round().byte().permute(1, 2, 0).cpu().numpy()
