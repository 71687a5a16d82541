"""Averages of the weights along training, evaluated and chosen in their place."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field
from torch import Tensor

from engine.foundation.config import Config
from engine.models import Recommender


class Averager(Protocol):
    """A running average of the weights."""

    theta: dict[str, Tensor]
    """The average so far by parameter name; empty before it has begun."""
    count: int
    """How many weights went into it."""

    def after_step(self, model: Recommender) -> None:
        """Called after each update of the weights."""

    def after_epoch(self, model: Recommender, epoch: int) -> None:
        """Called at the end of each epoch, counted from 1."""


class SWAConfig(Config):
    """Stochastic weight averaging (arXiv 1803.05407): the mean of the weights at epochs' ends."""

    name: Literal["swa"] = "swa"
    start_epoch: int = Field(default=15, ge=1)
    """First epoch that is averaged; before it the weights themselves are evaluated."""
    every: int = Field(default=1, ge=1)
    """Epochs between two averaged weights (c in the paper)."""

    def build(self) -> Averager:
        return SWA(self)


class SWA:
    """``theta_swa = (n theta_swa + theta) / (n + 1)`` (Algorithm 1 of the paper)."""

    def __init__(self, config: SWAConfig) -> None:
        self.config = config
        self.theta: dict[str, Tensor] = {}
        self.count = 0

    def after_step(self, model: Recommender) -> None:
        return

    def after_epoch(self, model: Recommender, epoch: int) -> None:
        start = self.config.start_epoch
        if epoch < start or (epoch - start) % self.config.every:
            return
        self.count += 1
        if not self.theta:
            self.theta = model.theta()
            return
        for name, parameter in model.named_parameters():
            self.theta[name].lerp_(parameter.detach(), 1.0 / self.count)


class EMAConfig(Config):
    """Exponential moving average of the weights, updated after each step."""

    name: Literal["ema"] = "ema"
    decay: float = Field(default=0.99, gt=0, lt=1)
    """Share of the average that stays at each step; it spans about 1 / (1 - decay) steps."""

    def build(self) -> Averager:
        return EMA(self)


class EMA:
    """``theta_ema = decay * theta_ema + (1 - decay) * theta``, from the first step on.

    The decay is held below ``(1 + n) / (10 + n)`` after n steps, so that the untrained weights do
    not linger.
    """

    def __init__(self, config: EMAConfig) -> None:
        self.config = config
        self.theta: dict[str, Tensor] = {}
        self.count = 0

    def after_step(self, model: Recommender) -> None:
        if not self.theta:
            self.theta = model.theta()
            self.count = 1
            return
        decay = min(self.config.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        for name, parameter in model.named_parameters():
            self.theta[name].lerp_(parameter.detach(), 1.0 - decay)

    def after_epoch(self, model: Recommender, epoch: int) -> None:
        return


AnyAveragingConfig = Annotated[SWAConfig | EMAConfig, Field(discriminator="name")]
