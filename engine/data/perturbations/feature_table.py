"""A catalogue's features as a perturbation sees them: no model is needed.

Shapes: I items, n chosen items, F feature width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.features import Features
from engine.data.perturbations.units import ALL_MODALITIES, FeatureSelection, Norm, Unit, hits
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import torch_generator


class FeatureTable:
    """The features [I, F] of each modality that a model reads, read only, and how they are scaled.

    ``scaling`` is that of ``FeatureConfig``: what lies between the rows a dataset ships and these.
    """

    def __init__(self, dataset: Dataset, features: Features, scaling: str) -> None:
        self.dataset = dataset
        self.features = features
        self.scaling = scaling
        self._norms: dict[str, Tensor] = {}
        self._largest: dict[str, float] = {}

    @property
    def device(self) -> torch.device:
        """Where the features live."""
        return next((x.device for x in self.features.values()), torch.device("cpu"))

    def modalities(self, config: FeatureSelection) -> tuple[str, ...]:
        """The modalities here that a config hits; () where there are none.

        Raises ConfigError for a name that the dataset does not have.
        """
        here = self.dataset.features
        for name in config.modalities:
            if here and name not in here and name not in ALL_MODALITIES:
                raise ConfigError(
                    f"{config.title}: dataset '{self.dataset.name}' has no {name} features; choose "
                    f"among {', '.join([*here, 'all'])}."
                )
        return tuple(m for m in self.features if hits(config, m))

    def items(self, config: FeatureSelection) -> Tensor:
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


def normal(table: FeatureTable, modality: str, items: Tensor, seed: int, draw: int) -> Tensor:
    """Standard normal numbers [n, F] for the chosen items of one modality.

    Item i's row does not depend on which other items are chosen: the whole matrix is drawn, so that
    a picture of one item and a curve over all of them show the same draw.
    """
    generator = torch_generator(seed, f"normal {modality}", draw)
    whole = torch.randn(table.dataset.n_items, table.width(modality), generator=generator).to(
        device=table.device, dtype=table.dtype
    )
    return whole if len(items) == len(whole) else whole.index_select(0, items)
