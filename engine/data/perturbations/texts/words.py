"""What edits of a share of each text's words have in common."""

from __future__ import annotations

from typing import ClassVar

from engine.data.perturbations.perturbation import SHARES
from engine.data.perturbations.texts.text import TextConfig


class WordShareConfig(TextConfig):
    """Base of edits whose strength is the share of words that they touch."""

    strengths: ClassVar[tuple[float, ...]] = SHARES

    @property
    def strength_unit(self) -> str:
        return "share of each text's words"

    @property
    def strength_limit(self) -> float:
        return 1.0
