"""MMGCN: one graph network a modality (Wei et al., ACM Multimedia 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from engine.data import Dataset
from engine.data.features import Features
from engine.models.graph_recommender import GraphRecommender
from engine.models.graphs import Propagate, averaging, bipartite, compressed, sparse_tensor
from engine.models.recommender import (
    Block,
    ModelOutput,
    MultimodalConfig,
    readable_modalities,
    xavier_uniform,
)


class MMGCNConfig(MultimodalConfig):
    """Features passed along the interactions by a graph network of each modality's own."""

    name: Literal["mmgcn"] = "mmgcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of every layer's output (columns)."""
    feature_width: int | None = Field(default=None, ge=1, le=1024)
    """Width at which features enter the first layer (columns), or none for ``width``; MMRec has 256
    for images and leaves text as wide as it is."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Layers of each modality's network (2 in MMRec's configuration, whose port takes 3
    whatever it says)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> MMGCN:
        return MMGCN(self, dataset, generator)


class Layer(nn.Module):
    """Aggregation and combination of one layer, from width ``inner`` to width ``outer``."""

    def __init__(self, inner: int, outer: int, generator: torch.Generator) -> None:
        super().__init__()

        def matrix(rows: int) -> nn.Parameter:
            return nn.Parameter(xavier_uniform(rows, inner, generator=generator))

        self.message = matrix(inner)
        """W1."""
        self.own = matrix(outer)
        """W2, with ``own_bias``."""
        self.own_bias = nn.Parameter(torch.zeros(outer))
        self.heard = matrix(outer)
        """W3, with ``heard_bias``."""
        self.heard_bias = nn.Parameter(torch.zeros(outer))

    def forward(self, mean: Tensor, transposed: Tensor, nodes: Tensor, free: Tensor) -> Tensor:
        """Nodes [N, inner] and their free embeddings [N, outer] to the next layer [N, outer]."""
        heard = leaky_relu(Propagate.apply(mean, transposed, nodes @ self.message.T))
        own = leaky_relu(nodes @ self.own.T + self.own_bias) + free
        return leaky_relu(heard @ self.heard.T + self.heard_bias + own)


class MMGCN(GraphRecommender):
    """Mean over modalities of a graph network's output; its rectifiers make it not affine.

    In layer l, with N(n) the neighbours of a user or item n in the training graph and e_n its free
    embedding, shared by the modalities:

        h_n  = LeakyReLU(mean over m in N(n) of W1 x_m)         (aggregation)
        own  = LeakyReLU(W2 x_n + b2) + e_n
        x_n' = LeakyReLU(W3 h_n + b3 + own)   (element-wise combination)

    Items enter with their projected features, users with a free preference of each modality; all
    of these have length 1, as in the released code. Features reach users as well as items, and
    gradients by them are true ones.

    The paper adds the modalities' outputs up; here they are averaged, as in MMRec, which scales
    scores. MMRec's port leaves free embeddings and preferences out of its optimiser and takes the
    concatenating form; here both are trained, as the paper has it. The norm penalty acts on the
    free embeddings; preferences, which MMRec penalises for images, are not penalised.
    """

    affine: ClassVar[bool] = False
    row_local: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, Block]] = {
        "users": "users",
        "preference": "users",
        "items": "items",
    }
    mean: Tensor
    transposed: Tensor

    def __init__(self, config: MMGCNConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.preference = nn.ParameterDict()
        self.projection = nn.ParameterDict()
        self.projection_bias = nn.ParameterDict()
        self.layers = nn.ModuleDict()
        inner = config.feature_width or config.width
        for m in self.modalities:
            shape = inner, int(dataset.features[m].shape[1])
            self.preference[m] = nn.Parameter(
                xavier_uniform(self.n_users, inner, generator=generator)
            )
            self.projection[m] = nn.Parameter(xavier_uniform(*shape, generator=generator))
            self.projection_bias[m] = nn.Parameter(torch.zeros(inner))
            widths = [inner] + [config.width] * (config.n_layers - 1)
            self.layers[m] = nn.ModuleList([Layer(w, config.width, generator) for w in widths])
        mean = sparse_tensor(averaging(bipartite(dataset.matrix("train"))))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("transposed", compressed(mean.to_sparse_coo().t()), persistent=False)

    def output(self, features: Features) -> ModelOutput:
        free = torch.cat([self.users, self.items])
        outputs = [self.of_modality(m, features[m], free) for m in self.modalities]
        total = sum(outputs[1:], start=outputs[0]) / len(outputs)
        return ModelOutput(total[: self.n_users], total[self.n_users :])

    def of_modality(self, modality: str, x_IF: Tensor, free: Tensor) -> Tensor:
        """The last layer's output [N, width] of one modality's network."""
        weight = self.projection[modality]
        projected = (x_IF @ weight.to(x_IF.dtype).T).to(weight.dtype)
        projected = projected + self.projection_bias[modality]
        nodes = torch.cat([self.preference[modality], projected])
        nodes = nn.functional.normalize(nodes)
        layers = self.layers[modality]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            nodes = layer(self.mean, self.transposed, nodes, free)
        return nodes
