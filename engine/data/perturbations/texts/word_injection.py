"""Words of another category in product texts, as a seller might stuff a listing."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from engine.data import Dataset
from engine.data.perturbations.perturbation import SHARES
from engine.data.perturbations.texts.text import TextConfig
from engine.data.perturbations.units import Risk
from engine.foundation.errors import ConfigError

TYPICAL = 20
"""Words that stand for a category."""


class WordInjectionConfig(TextConfig):
    """Words typical of another category are put into each chosen text."""

    title: ClassVar[str] = "Category words injected into texts"
    risk: ClassVar[Risk] = "information adjustment"
    strengths: ClassVar[tuple[float, ...]] = SHARES

    name: Literal["word_injection"] = "word_injection"
    category: str = ""
    """Whose words; '' draws another category for each item."""

    @property
    def strength_unit(self) -> str:
        return "injected words as a share of the text's own"

    def edit(
        self, dataset: Dataset, words: list[str], item: int, strength: float,
        draws: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Words stand at drawn places; more strength adds to those of less.

        Raises ConfigError where the dataset lacks the category, or has just one.
        """
        typical = _typical_words(dataset)
        others = [c for c in typical if c != dataset.items["category"].iloc[item]]
        category = self.category or (str(draws.choice(others)) if others else "")
        if category not in typical:
            known = ", ".join(list(typical)[:20]) or "no categories"
            raise ConfigError(
                f"{self.title}: category '{category}' has no words; dataset '{dataset.name}' has "
                f"{known}."
            )
        edited = list(words)
        for _ in range(round(strength * len(words))):
            edited.insert(
                int(draws.integers(len(edited) + 1)), str(draws.choice(typical[category]))
            )
        return edited


def _typical_words(dataset: Dataset) -> dict[str, list[str]]:
    return _typical(
        tuple(dataset.items["category"]),
        tuple(dataset.items["title"] + " " + dataset.items["description"]),
    )


@lru_cache(maxsize=2)
def _typical(categories: tuple[str, ...], texts: tuple[str, ...]) -> dict[str, list[str]]:
    """For each category the words that its items use most beyond how much all items do."""
    words = [[w.strip(".,;:!?()'\"").lower() for w in text.split()] for text in texts]
    everywhere = Counter(w for found in words for w in set(found))
    typical = {}
    for category in sorted(set(categories) - {""}):
        own = [set(w) for w, c in zip(words, categories, strict=True) if c == category]
        inside = Counter(w for found in own for w in found if len(w) > 2)
        share = len(own) / len(texts)
        excess = {w: n - share * everywhere[w] for w, n in inside.items()}
        best = sorted(excess, key=lambda w: (-excess[w], w))[:TYPICAL]
        if best:
            typical[category] = best
    return typical
