"""Models: the Recommender contract, one file per model, and the table of all of them."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from engine.data import Dataset
from engine.foundation.seeding import torch_generator
from engine.models.bm3 import BM3Config
from engine.models.bpr_mf import BPRMFConfig
from engine.models.dragon import DRAGONConfig
from engine.models.dualgnn import DualGNNConfig
from engine.models.freedom import FREEDOMConfig
from engine.models.grcn import GRCNConfig
from engine.models.lattice import LATTICEConfig
from engine.models.layergcn import LayerGCNConfig
from engine.models.lgmrec import LGMRecConfig
from engine.models.lightgcn import LightGCNConfig
from engine.models.mgcn import MGCNConfig
from engine.models.mmgcn import MMGCNConfig
from engine.models.pgl import PGLConfig
from engine.models.recommender import (
    Block,
    LinearProjection,
    ModelConfig,
    ModelOutput,
    MultimodalConfig,
    Recommender,
)
from engine.models.selfcf import SelfCFConfig
from engine.models.slmrec import SLMRecConfig
from engine.models.smore import SMOREConfig
from engine.models.terms import TermInputs
from engine.models.vbpr import VBPRConfig

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
    | PGLConfig,
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
