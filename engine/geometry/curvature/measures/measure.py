"""What a flatness measure is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.measurement_point import MeasurementPoint

TransformationName = Literal["scale", "rotation", "mixing", "temperature", "shift"]
"""Ways to rewrite the factors that leave every user's order of items as it is."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its standard error; 0 where nothing was sampled."""

    value: float
    standard_error: float = 0.0


def measures_are_asked(config: CurvatureConfig) -> bool:
    """Whether the config asks for measures beyond the Hessian's own numbers."""
    return config.measures


@dataclass(frozen=True)
class Measure:
    """A flatness measure; larger is sharper."""

    name: str
    title: str
    """A few words, for axes and tables."""
    description: str
    unit: str
    compute: Callable[[MeasurementPoint], Estimate | Mapping[str, Estimate] | None]
    """At a run's weights: one estimate, or one a modality, or None where it is not defined."""
    moved_by: tuple[TransformationName, ...] = ()
    """Which transformations change it by more than 1 %; measured, and held to by the tests."""
    is_asked: Callable[[CurvatureConfig], bool] = measures_are_asked
    """Whether a config asks for it."""

    @property
    def is_invariant(self) -> bool:
        """Whether no transformation moves it, so that runs may be compared by it."""
        return not self.moved_by

    def values(self, point: MeasurementPoint) -> dict[str, Estimate]:
        """Its estimates by name, ``<name>`` or ``<name>_<modality>``."""
        result = self.compute(point)
        if isinstance(result, Estimate):
            return {self.name: result}
        return {f"{self.name}_{modality}": each for modality, each in (result or {}).items()}
