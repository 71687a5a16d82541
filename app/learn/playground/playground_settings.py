"""The whole state of the playground, as it stands in an address."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from engine.foundation.config import Config

Landscape = Literal["one-weight", "two-weights", "valley", "logistic", "drawn"]
StepperName = Literal["plain", "mirror", "sam", "gradient-norm"]

STARTS: dict[Landscape, tuple[float, float]] = {
    "one-weight": (-0.6, 0.0),
    "two-weights": (-0.3, -1.2),
    "valley": (2.55, 0.45),
    "logistic": (2.55, 0.45),
    "drawn": (0.0, -1.5),
}
"""Where the steppers start on each landscape until they are dragged elsewhere."""


class Bowl(Config):
    """A Gaussian basin of the landscape that the visitor draws."""

    x: float = Field(ge=-3, le=3)
    y: float = Field(ge=-3, le=3)
    width: float = Field(default=0.5, ge=0.15, le=2)
    """Standard deviation: a narrow bowl is a sharp minimum."""
    depth: float = Field(default=0.6, gt=0, le=1)


class PlaygroundSettings(Config):
    """What is on the playground: landscape, steppers, and how they step."""

    landscape: Landscape = "valley"
    steppers: tuple[StepperName, ...] = ("plain", "mirror")
    optimiser: Literal["sgd", "adam"] = "sgd"
    """What each stepper moves the weights with."""
    start: tuple[float, float] = STARTS["valley"]
    rate: float = Field(default=0.28, ge=0.005, le=1)
    """Learning rate."""
    alpha1: float = Field(default=1.0, ge=0.1, le=2)
    """Factor of Mirror Gradient's descent half-step."""
    alpha2: float = Field(default=0.9, ge=0, le=1.95)
    """Factor of Mirror Gradient's ascent half-step; below alpha1."""
    beta: int = Field(default=1, ge=1, le=10)
    """Every beta-th batch mirrors."""
    rho: float = Field(default=0.2, ge=0.01, le=1)
    """SAM's radius."""
    weight: float = Field(default=0.1, ge=0, le=1)
    """Factor lambda of the gradient-norm penalty."""
    noise: float = Field(default=0.0, ge=0, le=2)
    """Standard deviation of what is added to each weight's gradient, the same for all steppers."""
    shift: float = Field(default=0.0, ge=-1, le=1)
    """How far the test landscape lies to the right of the training one."""
    speed: int = Field(default=20, ge=1, le=120)
    """Steps a second while playing."""
    seed: int = Field(default=0, ge=0)
    bowls: tuple[Bowl, ...] = (
        Bowl(x=-1.4, y=0.2, width=0.3, depth=0.8),
        Bowl(x=1.2, y=0.2, width=0.9, depth=0.8),
    )
    """Of the landscape ``drawn``; at most eight."""

    @model_validator(mode="after")
    def _check(self) -> PlaygroundSettings:
        if self.alpha2 >= self.alpha1:
            raise ValueError(
                f"alpha2 is {self.alpha2} and alpha1 {self.alpha1}; alpha2 must be smaller"
            )
        if len(self.bowls) > 8:
            raise ValueError(f"{len(self.bowls)} bowls were drawn; at most 8 are allowed")
        return self
