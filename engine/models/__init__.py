"""Models: the Recommender contract, one file per model, and the table of all of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from engine.data import Dataset
from engine.foundation.seeding import torch_generator
from engine.models.bm3 import BM3, BM3Config
from engine.models.bpr_mf import BPRMF, BPRMFConfig
from engine.models.freedom import FREEDOM, FREEDOMConfig
from engine.models.grcn import GRCN, GRCNConfig
from engine.models.lightgcn import LightGCN, LightGCNConfig
from engine.models.mmgcn import MMGCN, MMGCNConfig
from engine.models.recommender import Block, LinearProjection, ModelConfig, Recommender
from engine.models.terms import TermInputs
from engine.models.vbpr import VBPR, VBPRConfig

MODELS: dict[type[ModelConfig], Any] = {
    BPRMFConfig: BPRMF,
    VBPRConfig: VBPR,
    LightGCNConfig: LightGCN,
    FREEDOMConfig: FREEDOM,
    MMGCNConfig: MMGCN,
    GRCNConfig: GRCN,
    BM3Config: BM3,
}
"""Every model by its config class; a new model is one new file and one line here."""

AnyModelConfig = Annotated[
    BPRMFConfig
    | VBPRConfig
    | LightGCNConfig
    | FREEDOMConfig
    | MMGCNConfig
    | GRCNConfig
    | BM3Config,
    Field(discriminator="name"),
]


def build_model(config: ModelConfig, dataset: Dataset, seed: int) -> Recommender:
    """A freshly initialised model; equal seeds give equal weights on every device.

    Raises ConfigError where the dataset lacks what the model reads.
    """
    model: Recommender = MODELS[type(config)](config, dataset, torch_generator(seed, "weights"))
    return model


__all__ = [
    "MODELS",
    "AnyModelConfig",
    "BM3Config",
    "BPRMFConfig",
    "Block",
    "FREEDOMConfig",
    "GRCNConfig",
    "LightGCNConfig",
    "LinearProjection",
    "MMGCNConfig",
    "ModelConfig",
    "Recommender",
    "TermInputs",
    "VBPRConfig",
    "build_model",
]
