"""What perturbations of pictures share: reading, editing, and encoding a batch at a time.

Pictures are RGB in [0, 1], 224 x 224, as the encoder sees them. Shapes: n chosen items, B batch,
H height, W width, F feature width.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cache, lru_cache

import torch
from torch import Tensor

from engine.data.encoders import ImageEncoder, read_pixels
from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import PerturbationConfig, Pointwise
from engine.data.perturbations.reencoding import StoredRows, image_encoder
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import torch_generator

BATCH = 32


class Pictures:
    """The chosen items' pictures and their encoder rows; only items that have a picture."""

    def __init__(self, table: FeatureTable, config: PerturbationConfig) -> None:
        """Raises MissingExtraError without the encoder, ConfigError where nothing can be edited."""
        self.encoder = image_encoder(str(table.device))
        paths = table.dataset.items["image_path"].to_numpy(dtype=str)
        items = [int(i) for i in table.items(config) if paths[int(i)]]
        if not items:
            raise ConfigError(
                f"{config.title}: none of the chosen items of dataset '{table.dataset.name}' has "
                "a picture; perturb the features themselves instead."
            )
        self.paths = [paths[i] for i in items]
        self.items = torch.tensor(items, device=table.device)
        self.rows = StoredRows(
            table, "image", self.items, _encode_originals(self.encoder, *self.paths)
        )

    def pixels(self, part: slice = slice(None)) -> Tensor:
        """Pictures [B, 3, H, W] of some of the items."""
        read = [torch.from_numpy(read_pixels(path)) for path in self.paths[part]]
        return torch.stack(read).to(self.items.device)

    def batches(self) -> Iterator[slice]:
        """Parts of the items, small enough to encode."""
        for start in range(0, len(self.paths), BATCH):
            yield slice(start, min(start + BATCH, len(self.paths)))


@lru_cache(maxsize=4)
def _encode_originals(encoder: ImageEncoder, *paths: str) -> Tensor:
    """Rows [n, F] of unedited pictures, kept: every draw and strength starts from them."""
    return torch.from_numpy(encoder.encode(paths, BATCH)).to(encoder.device)


class PictureConfig(PerturbationConfig):
    """Base of perturbations of pictures; encoding takes some 50 ms a picture on one core."""

    modalities: tuple[str, ...] = ("image",)
    """Only pictures are edited."""

    @abstractmethod
    def whole_edit(
        self, table: FeatureTable, pictures: Pictures, strength: float, seed: int, draw: int
    ) -> Iterator[tuple[slice, Tensor]]:
        """The edited pictures [B, 3, H, W], a batch at a time."""

    def path(self, table: FeatureTable, seed: int, draw: int) -> Pointwise:
        """The model rows of the edited pictures; items without a picture keep theirs."""
        pictures = Pictures(table, self)

        @cache  # runs on equal features share a path
        def at(strength: float) -> Features:
            rows = []
            for part, pixels in self.whole_edit(table, pictures, strength, seed, draw):
                with torch.no_grad():
                    rows.append(pictures.rows.model_rows(pictures.encoder.features(pixels), part))
            return {"image": torch.cat(rows)}

        return Pointwise(pictures.items, at)


class PictureEditConfig(PictureConfig):
    """Base of edits that look at the picture alone: no encoder is needed to see one."""

    @abstractmethod
    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        """Pictures [B, 3, H, W] of the given items after the edit, in [0, 1]; strength > 0."""

    def whole_edit(
        self, table: FeatureTable, pictures: Pictures, strength: float, seed: int, draw: int
    ) -> Iterator[tuple[slice, Tensor]]:
        del table
        for part in pictures.batches():
            items = [int(i) for i in pictures.items[part]]
            yield part, self.edit(pictures.pixels(part), items, strength, seed, draw)


def picture_draws(name: str, seed: int, draw: int, item: int) -> torch.Generator:
    """The generator of one item's picture: the same, whichever other items are edited."""
    return torch_generator(seed, f"pixels {name}", draw, item)
