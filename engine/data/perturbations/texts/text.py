"""What edits of product texts share: the texts as they were encoded, and encoding them again.

Shapes: n chosen items, F feature width.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.encoders import TextEncoder
from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import PerturbationConfig, Pointwise
from engine.data.perturbations.reencoding import ALIKE, StoredRows, text_encoder
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator

TEMPLATES = ("{title}. {description}", "{title}. {genres}. {overview}", "{title}")
"""How datasets join columns to the text that is encoded; lists by '|' are read with commas."""
TRIED = 4
"""Items on which a template is tried."""


class Texts:
    """The chosen items' texts and their encoder rows."""

    def __init__(self, table: FeatureTable, config: PerturbationConfig) -> None:
        """Raises MissingExtraError without the encoder, ConfigError where no template fits."""
        self.encoder = text_encoder(str(table.device))
        self.items = table.items(config)
        template = self._template(table.dataset)
        self.texts = [_fill_template(template, table.dataset, int(i)) for i in self.items]
        self.rows = StoredRows(
            table, "text", self.items, _encode_originals(self.encoder, *self.texts)
        )

    def _template(self, dataset: Dataset) -> str:
        stored = np.asarray(dataset.features["text"][:TRIED], dtype=np.float32)
        best = -1.0
        for template in TEMPLATES:
            columns = [part.split("}")[0] for part in template.split("{")[1:]]
            if not set(columns) <= set(dataset.items.columns):
                continue
            encoded = self.encoder.encode(
                [_fill_template(template, dataset, i) for i in range(len(stored))]
            )
            if encoded.shape[1] != stored.shape[1]:
                break
            lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(encoded, axis=1)
            cosine = float(((stored * encoded).sum(axis=1) / np.maximum(lengths, 1e-12)).min())
            if cosine >= ALIKE:
                return template
            best = max(best, cosine)
        raise ConfigError(
            f"text features of dataset '{dataset.name}' are not those of Basin's encoder on any of "
            f"{', '.join(TEMPLATES)} (best cosine {best:.3f}); perturb the features instead."
        )


@lru_cache(maxsize=4)
def _encode_originals(encoder: TextEncoder, *texts: str) -> Tensor:
    """Rows [n, F] of unedited texts, kept: every draw and strength starts from them."""
    return torch.from_numpy(encoder.encode(texts)).to(encoder.device)


def _fill_template(template: str, dataset: Dataset, item: int) -> str:
    row = dataset.items.iloc[item]
    return template.format(**{c: str(row[c]).replace("|", ", ") for c in dataset.items.columns})


class TextConfig(PerturbationConfig):
    """Base of edits of product texts; encoding takes some 10 ms a text on one core."""

    modalities: tuple[str, ...] = ("text",)
    """Only texts are edited."""

    @abstractmethod
    def edit(
        self, dataset: Dataset, words: list[str], item: int, strength: float,
        draws: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """The words of one item's text after the edit."""

    def edited_texts(
        self, dataset: Dataset, texts: Texts, strength: float, seed: int, draw: int
    ) -> list[str]:
        """The chosen items' texts after the edit."""
        return [
            self.edited_text(dataset, text, int(item), strength, seed, draw)
            for item, text in zip(texts.items, texts.texts, strict=True)
        ]

    def edited_text(
        self, dataset: Dataset, text: str, item: int, strength: float, seed: int = 0, draw: int = 0
    ) -> str:
        """One item's text after the edit; needs no encoder."""
        draws = numpy_generator(seed, f"text {self.name}", draw, item)
        return " ".join(self.edit(dataset, text.split(), item, strength, draws))

    def path(self, table: FeatureTable, seed: int, draw: int) -> Pointwise:
        """The model rows of the edited texts."""
        texts = Texts(table, self)

        @cache  # runs on equal features share a path
        def at(strength: float) -> Features:
            edited = self.edited_texts(table.dataset, texts, strength, seed, draw)
            encoded = torch.from_numpy(texts.encoder.encode(edited)).to(table.device)
            return {"text": texts.rows.model_rows(encoded)}

        return Pointwise(texts.items, at)
