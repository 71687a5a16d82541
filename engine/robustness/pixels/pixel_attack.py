"""FGSM and PGD on pixels, through the image encoder and the recommender.

The gradient goes from the goal to the item's features, as in attacks on features, and from there
through the encoder to the picture (TAaMR, Di Noia et al., 2020; here with the recommender's own
goal instead of a class). L-infinity balls in 1/255, cut at black and white.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.pixels.picture import PictureConfig, Pictures
from engine.data.perturbations.pixels.pixel_noise import PixelNoiseConfig
from engine.data.perturbations.units import Risk
from engine.robustness.attacks.attack import GoalConfig
from engine.robustness.attacks.attacked_goal import AttackedGoal
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest


class PixelAttackConfig(PictureConfig, GoalConfig):
    """Base of the attacks on pictures. Costs two encoder passes a step and picture: name items or a
    target where the catalogue is large."""

    risk: ClassVar[Risk] = "adversarial"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)

    @property
    def strength_unit(self) -> str:
        return "largest change of a value in 1/255"

    @property
    def strength_limit(self) -> float:
        return 255.0

    def control(self, dataset: Dataset) -> PixelNoiseConfig:
        """Every value up or down by the same amount, by chance."""
        hit = self.hit_items(dataset)
        items = None if hit is None else tuple(int(i) for i in hit)
        return PixelNoiseConfig(form="signs", items=items)

    @property
    def n_starts(self) -> int:
        """From how many pictures the attack is carried out; the best result counts."""
        return 1

    @abstractmethod
    def schedule(self, strength: float) -> list[float]:
        """Lengths of the steps in 1/255."""

    def whole_edit(
        self, table: FeatureTable, pictures: Pictures, strength: float, seed: int, draw: int
    ) -> Iterator[tuple[slice, Tensor]]:
        """The attacked pictures; of the points after each step of each start, the one with the
        highest goal. The first start is the clean pictures, the others are corners of the ball."""
        model = ModelUnderTest.of(table)
        chosen = self.model_copy(update={"items": tuple(pictures.items.tolist())})
        attacked = chosen.attacked_goal(model)
        clean, radius = pictures.pixels(), strength / 255
        steps = self.schedule(strength)
        best, best_value = clean, -float("inf")
        for start in range(self.n_starts):
            pixels = clean
            if start > 0:
                index = draw * 1000 + start
                signs = PixelNoiseConfig(form="signs")
                pixels = signs.edit(clean, pictures.items.tolist(), strength, seed + 1, index)
            value, gradient = self._gradient(attacked, pictures, pixels)
            if start > 0 and value > best_value:
                best, best_value = pixels, value
            for step in steps[1:] if start > 0 else steps:
                moved = pixels + step / 255 * gradient.sign()
                pixels = torch.minimum(torch.maximum(moved, clean - radius), clean + radius)
                pixels = pixels.clamp(0, 1)
                if len(steps) == self.n_starts == 1:
                    best = pixels
                    break
                value, gradient = self._gradient(attacked, pictures, pixels)
                if value > best_value:
                    best, best_value = pixels, value
        for part in pictures.batches():
            yield part, best[part]

    def _gradient(
        self, attacked: AttackedGoal, pictures: Pictures, pixels: Tensor
    ) -> tuple[float, Tensor]:
        """The goal, and its gradient by the pixels [n, 3, H, W]."""
        with torch.no_grad():
            rows = [
                pictures.rows.model_rows(pictures.encoder.features(pixels[part]), part)
                for part in pictures.batches()
            ]
        features: Features = {"image": torch.cat(rows)}
        value, gradients = attacked.by_features(features)
        parts = []
        for part in pictures.batches():
            leaf = pixels[part].detach().clone().requires_grad_()
            with torch.enable_grad():
                moved = pictures.rows.model_rows(pictures.encoder.features(leaf), part)
            parts.append(torch.autograd.grad(moved, leaf, gradients["image"][part])[0])
        return value, torch.cat(parts)


class PixelFGSMConfig(PixelAttackConfig):
    """One step of every pixel along the sign of its gradient."""

    title: ClassVar[str] = "FGSM on pictures"

    name: Literal["pixel_fgsm"] = "pixel_fgsm"

    def schedule(self, strength: float) -> list[float]:
        return [strength]


class PixelPGDConfig(PixelAttackConfig):
    """Several smaller steps, each followed by a return into the ball; FGSM's point is the first."""

    title: ClassVar[str] = "PGD on pictures"

    name: Literal["pixel_pgd"] = "pixel_pgd"
    steps: int = Field(default=5, ge=1, le=100)
    """Gradient steps after the first, full-length one."""
    step_size: float = Field(default=0.4, gt=0, le=2)
    """Length of such a step, as a share of the ball's radius."""
    restarts: int = Field(default=1, ge=1, le=20)
    """Starts; the best result over all of them counts."""

    @property
    def is_drawn(self) -> bool:
        return self.restarts > 1

    @property
    def n_starts(self) -> int:
        return self.restarts

    def schedule(self, strength: float) -> list[float]:
        return [strength, *[self.step_size * strength] * self.steps]
