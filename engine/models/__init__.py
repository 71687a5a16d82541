"""Models: the Recommender contract, one file per model, and the table of all of them."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from engine.data import Dataset
from engine.foundation.seeding import torch_generator
from engine.models.collaborative.bpr_mf import BPRMFConfig
from engine.models.collaborative.layergcn import LayerGCNConfig
from engine.models.collaborative.lightgcn import LightGCNConfig
from engine.models.collaborative.selfcf import SelfCFConfig
from engine.models.multimodal.bm3 import BM3Config
from engine.models.multimodal.damrs import DAMRSConfig
from engine.models.multimodal.dragon import DRAGONConfig
from engine.models.multimodal.dualgnn import DualGNNConfig
from engine.models.multimodal.freedom import FREEDOMConfig
from engine.models.multimodal.grcn import GRCNConfig
from engine.models.multimodal.lattice import LATTICEConfig
from engine.models.multimodal.lgmrec import LGMRecConfig
from engine.models.multimodal.mgcn import MGCNConfig
from engine.models.multimodal.mmgcn import MMGCNConfig
from engine.models.multimodal.mvgae import MVGAEConfig
from engine.models.multimodal.pgl import PGLConfig
from engine.models.multimodal.slmrec import SLMRecConfig
from engine.models.multimodal.smore import SMOREConfig
from engine.models.multimodal.vbpr import VBPRConfig
from engine.models.recommender import (
    Block,
    LinearProjection,
    ModelConfig,
    ModelOutput,
    MultimodalConfig,
    Recommender,
)
from engine.models.terms import TermInputs

AnyModelConfig = Annotated[
    BPRMFConfig
    | VBPRConfig
    | LightGCNConfig
    | FREEDOMConfig
    | MMGCNConfig
    | GRCNConfig
    | BM3Config
    | LATTICEConfig
    | MGCNConfig
    | DualGNNConfig
    | SLMRecConfig
    | DRAGONConfig
    | LayerGCNConfig
    | SelfCFConfig
    | LGMRecConfig
    | SMOREConfig
    | PGLConfig
    | DAMRSConfig
    | MVGAEConfig,
    Field(discriminator="name"),
]
"""The table of models; a new one is one new file and one line here."""

MODELS: tuple[type[ModelConfig], ...] = get_args(get_args(AnyModelConfig)[0])
"""Every model's config class, as the table has them."""


def build_model(config: ModelConfig, dataset: Dataset, seed: int) -> Recommender:
    """A freshly initialised model; equal seeds give equal weights on every device.

    Raises ConfigError where the dataset lacks what the model reads.
    """
    return config.build(dataset, torch_generator(seed, "weights"))


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
    "ModelOutput",
    "MultimodalConfig",
    "Recommender",
    "TermInputs",
    "VBPRConfig",
    "build_model",
]
