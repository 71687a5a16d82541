"""MMGCN: one graph network a modality (Wei et al., ACM Multimedia 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.parts.graphs import Propagate, averaging, bipartite, compressed, sparse_tensor
from engine.models.parts.layers import Dense
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
    form: Literal["paper", "released"] = "paper"
    """``paper``: everything is trained, own and heard are added up; ``released``: its authors' code
    and the ports of it that Mirror Gradient's rows come from, see the model."""
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of every layer's output (columns)."""
    feature_width: int | None = Field(default=None, ge=1, le=1024)
    """Width at which features enter the first layer (columns), or none for ``width``; in the
    released form, of images only, none for 256, and other features enter as wide as they are."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Layers of each modality's network (2 in MMRec's configuration, but the released code takes 3
    whatever it says: set 3 for that)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> MMGCN:
        form = MMGCN if self.form == "paper" else ReleasedMMGCN
        return form(self, dataset, generator)


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


class JoiningLayer(nn.Module):
    """One layer of the released form, which sets what is heard beside what is own."""

    def __init__(self, inner: int, outer: int, generator: torch.Generator) -> None:
        super().__init__()
        self.message = Dense(inner, inner, generator, has_bias=False)
        self.own = Dense(inner, outer, generator)
        self.joined = Dense(inner + outer, outer, generator)

    def forward(self, mean: Tensor, transposed: Tensor, nodes: Tensor, free: Tensor) -> Tensor:
        """Nodes [N, inner] and their free embeddings [N, outer] to the next layer [N, outer]."""
        heard = leaky_relu(Propagate.apply(mean, transposed, self.message(nodes)))
        own = leaky_relu(self.own(nodes)) + free
        return leaky_relu(self.joined(torch.cat([heard, own], dim=1)))


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
    scores. The norm penalty acts on the free embeddings; preferences, which MMRec penalises for
    images, are not penalised.

    The form ``released`` is what its authors' code and MMRec's port of it do: free embeddings and
    preferences stay as drawn, because they are not among the parameters of the optimiser, and a
    layer ends in ``x' = LeakyReLU(W3 [h_n | own] + b3)``.
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
        self.set_graph(dataset)

    def set_graph(self, dataset: Dataset) -> None:
        """Keep the graph that averages over neighbours, and its transpose."""
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
        nodes = self.start(modality, x_IF)
        layers = self.layers[modality]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            nodes = layer(self.mean, self.transposed, nodes, free)
        return nodes

    def start(self, modality: str, x_IF: Tensor) -> Tensor:
        """What enters a modality's first layer [N, .], rows of length 1."""
        weight = self.projection[modality]
        projected = (x_IF @ weight.to(x_IF.dtype).T).to(weight.dtype)
        projected = projected + self.projection_bias[modality]
        return normalize(torch.cat([self.preference[modality], projected]))


class ReleasedMMGCN(MMGCN):
    """The form ``released``; what is not trained is drawn from the seed and not kept with a run."""

    blocks: ClassVar[Mapping[str, Block]] = {}

    def __init__(self, config: MMGCNConfig, dataset: Dataset, generator: torch.Generator) -> None:
        GraphRecommender.__init__(self, config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.entry = nn.ModuleDict()
        self.layers = nn.ModuleDict()
        drawn = {"users": (self.n_users, config.width), "items": (self.n_items, config.width)}
        for m in self.modalities:
            inner = width = int(dataset.features[m].shape[1])
            if m == "image":
                inner = config.feature_width or 256
                self.entry[m] = Dense(width, inner, generator)
            drawn[f"{m}_preference"] = self.n_users, inner
            widths = [inner] + [config.width] * (config.n_layers - 1)
            self.layers[m] = nn.ModuleList(
                [JoiningLayer(w, config.width, generator) for w in widths]
            )
        for name, shape in drawn.items():
            table = xavier_uniform(*shape, generator=generator)
            self.register_buffer(name, table, persistent=False)
        self.set_graph(dataset)

    def start(self, modality: str, x_IF: Tensor) -> Tensor:
        preference = self.get_buffer(f"{modality}_preference")
        is_projected = modality in self.entry
        items = self.entry[modality](x_IF) if is_projected else x_IF.to(preference.dtype)
        return normalize(torch.cat([preference, items]))
