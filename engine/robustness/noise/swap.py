"""Content swap: after training, some items show another item's picture or text."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.robustness.noise.donors import Within, donors_of, hit_thresholds
from engine.robustness.perturbation import Replacement, Risk, ShareConfig
from engine.robustness.subject import Subject


class SwapConfig(ShareConfig):
    """A share of items gets another item's features: Mirror Gradient's information adjustment."""

    title: ClassVar[str] = "Content swap"
    risk: ClassVar[Risk] = "information adjustment"

    name: Literal["swap"] = "swap"
    within: Within = "any"
    """Whose features: an item of any category, of the same, or of another. Items without such a
    partner keep their own."""

    def path(self, subject: Subject, seed: int, draw: int) -> Replacement:
        """Items are hit in a random order, the same for each modality and run."""
        items = subject.items(self)
        categories = subject.dataset.items["category"].to_numpy(dtype=str)
        donors = donors_of(subject.dataset.n_items, categories, self.within, seed, draw)
        chosen = torch.from_numpy(donors).to(subject.device)[items]
        return Replacement(
            items,
            {m: subject.features[m].index_select(0, chosen) for m in subject.modalities(self)},
            torch.from_numpy(hit_thresholds(len(items), seed, draw)),
        )
