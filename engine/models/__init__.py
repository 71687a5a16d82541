"""Models: the Recommender contract, one file per model, and the table of all of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from engine.data import Dataset
from engine.foundation.seeding import torch_generator
from engine.models.bpr_mf import BPRMF, BPRMFConfig
from engine.models.lightgcn import LightGCN, LightGCNConfig
from engine.models.recommender import Block, LinearProjection, ModelConfig, Recommender
from engine.models.vbpr import VBPR, VBPRConfig

MODELS: dict[type[ModelConfig], Any] = {
    BPRMFConfig: BPRMF,
    VBPRConfig: VBPR,
    LightGCNConfig: LightGCN,
}
"""Every model by its config class; a new model is one new file and one line here."""

AnyModelConfig = Annotated[BPRMFConfig | VBPRConfig | LightGCNConfig, Field(discriminator="name")]


def build_model(config: ModelConfig, dataset: Dataset, seed: int) -> Recommender:
    """A freshly initialised model; equal seeds give equal weights on every device.

    Raises ConfigError where the dataset lacks what the model reads.
    """
    model: Recommender = MODELS[type(config)](config, dataset, torch_generator(seed, "weights"))
    return model


__all__ = [
    "MODELS",
    "AnyModelConfig",
    "BPRMFConfig",
    "Block",
    "LightGCNConfig",
    "LinearProjection",
    "ModelConfig",
    "Recommender",
    "VBPRConfig",
    "build_model",
]
