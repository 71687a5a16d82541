"""MVGAE: a variational graph auto-encoder of each modality (Yi and Chen, IEEE TMM 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import embedding, leaky_relu, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.foundation.seeding import torch_generator
from engine.models.parts.contrastive import dropped_out
from engine.models.parts.graph_recommender import MultimodalGraphRecommender
from engine.models.parts.graphs import Propagate, averaging, bipartite, compressed, sparse_tensor
from engine.models.parts.layers import Dense
from engine.models.recommender import Block, ModelOutput, MultimodalConfig, xavier_uniform
from engine.models.terms import TermInputs

FREE = "free"
"""The view of free item embeddings."""

LARGEST_LOG_VARIANCE = 10.0
"""Where a log-variance is capped in the loss, as in the released code."""

TINY = 1e-8
"""Added to variances before they are inverted, as in the released code."""


class MVGAEConfig(MultimodalConfig):
    """Every node is a normal distribution, the product of what each modality believes of it."""

    name: Literal["mvgae"] = "mvgae"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the latent variables (columns)."""
    hidden_width: int = Field(default=128, ge=1, le=1024)
    """Width of what enters the first layer (columns; 128 in the released code)."""
    n_layers: int = Field(default=1, ge=1, le=8)
    """Layers before those of mean and variance (1 in the released code)."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the entries that each graph layer leaves out in training (0.1 as released)."""
    noise: float = Field(default=0.1, ge=0)
    """Standard deviations by which a latent variable is drawn away from its mean in the loss (0.1
    in the released code)."""
    divergence_weight: float = Field(default=3e-5, ge=0)
    """Factor of the divergences from the standard normal. The released grid of 0.01 to 1 stands
    beside a sum of base-2 logarithms over 2,048 triples: 3e-6 to 3e-4 beside a mean."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> MVGAE:
        return MVGAE(self, dataset, generator)


class GraphLayer(nn.Module):
    """``n(mean over a node and its neighbours of W x + b)``, n to length 1."""

    def __init__(self, inner: int, outer: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(xavier_uniform(outer, inner, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outer))

    def forward(self, mean: Tensor, transposed: Tensor, nodes: Tensor) -> Tensor:
        """From nodes [N, inner] to [N, outer]."""
        heard = Propagate.apply(mean, transposed, nodes @ self.weight.T)
        return normalize(heard + self.bias)


class View(nn.Module):
    """The encoder of one modality, or of free item embeddings."""

    def __init__(
        self, n_users: int, width: int, config: MVGAEConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        hidden, outer = config.hidden_width, config.width
        drawn = xavier_uniform(n_users, hidden, generator=generator)
        self.preference = nn.Parameter(drawn)
        self.entry = Dense(width, hidden, generator)
        widths = [hidden] + [outer] * (config.n_layers - 1)
        self.graph = nn.ModuleList([GraphLayer(w, outer, generator) for w in widths])
        self.dense = nn.ModuleList([Dense(outer, outer, generator) for _ in widths])
        self.end_graph = nn.ModuleList([GraphLayer(outer, outer, generator) for _ in range(2)])
        self.end_dense = nn.ModuleList([Dense(outer, outer, generator) for _ in range(2)])
        self.end_own = nn.ModuleList([Dense(outer, outer, generator) for _ in range(2)])


class MVGAE(MultimodalGraphRecommender):
    """``U`` and ``V`` are ``sigmoid(mu)``, mu the mean of a product of normal distributions.

    Each view, a modality or free item embeddings, starts with nodes of length 1: a free preference
    of users, ``A x + a`` of items. Layers are ``x' = LeakyReLU(D LeakyReLU(G x) + d)`` with G a
    graph layer; the ends ``D' LeakyReLU(G' x) + d' + LeakyReLU(C x + c)`` give mean and
    log-variance. The modalities' distributions are multiplied, then that of free embeddings.

    Training minimises, for the product and for each view alone, the ranking loss of
    ``sigmoid<z_u, z_i> - max_j sigmoid<z_u, z_j>`` over the batch's negatives j, with z the sigmoid
    of a draw, and the divergence of the distribution from the standard normal. Not affine.

    MMRec's port leaves preferences and free embeddings out of its optimiser, and its loss looks
    items up among the users; here they are trained, and are what the penalty acts on.
    """

    affine: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    term_names = ("ranking", "divergence")
    blocks: ClassVar[Mapping[str, Block]] = {"items": "items", "view": "encoders"}
    mean: Tensor
    transposed: Tensor

    def __init__(self, config: MVGAEConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        widths = {m: int(dataset.features[m].shape[1]) for m in self.modalities}
        self.view = nn.ModuleDict(
            {
                name: View(self.n_users, width, config, generator)
                for name, width in {**widths, FREE: config.width}.items()
            }
        )
        graph = bipartite(dataset.matrix("train"))
        mean = sparse_tensor(averaging(graph + sparse.identity(graph.shape[0])))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("transposed", compressed(mean.to_sparse_coo().t()), persistent=False)
        self._draws: torch.Generator | None = None

    def start_epoch(self, seed: int, epoch: int) -> None:
        self._draws = torch_generator(seed, "graph layers", epoch)

    def output(self, features: Features) -> ModelOutput:
        seen = {**self.seen(features), FREE: self.items}
        beliefs = {name: self.encoded(name, x) for name, x in seen.items()}
        shown = product([beliefs[m] for m in self.modalities])
        mean, log_variance = product([shown, beliefs[FREE]])
        extras = {"product/log_variance": log_variance, "product/mean": mean}
        for name, (own_mean, own_log_variance) in beliefs.items():
            extras |= {f"{name}/mean": own_mean, f"{name}/log_variance": own_log_variance}
        factors = mean.sigmoid()
        return ModelOutput(factors[: self.n_users], factors[self.n_users :], extras)

    def encoded(self, name: str, x_IF: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [N, D] of one view."""
        view = self.view[name]
        assert isinstance(view, View)
        nodes = normalize(torch.cat([view.preference, view.entry(x_IF)]))
        for graph, dense in zip(view.graph, view.dense, strict=True):
            nodes = leaky_relu(dense(leaky_relu(self.heard(graph, nodes))))
        mean, log_variance = (
            dense(leaky_relu(self.heard(graph, nodes))) + leaky_relu(own(nodes))
            for graph, dense, own in zip(view.end_graph, view.end_dense, view.end_own, strict=True)
        )
        return mean, log_variance

    def heard(self, layer: nn.Module, nodes: Tensor) -> Tensor:
        """A graph layer's output [N, .], with dropout in training."""
        heard: Tensor = layer(self.mean, self.transposed, nodes)
        if self.training and self._draws is not None:
            return dropped_out(heard, self.settings.dropout, self._draws)
        return heard

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        ranking = divergence = batch.user_factors.new_zeros(())
        nodes = torch.cat([batch.users, batch.items + self.n_users])
        for name in ("product", *self.modalities, FREE):
            mean, log_variance = (batch.extras[f"{name}/{m}"] for m in ("mean", "log_variance"))
            capped = log_variance.clamp(max=LARGEST_LOG_VARIANCE)
            spread = capped[nodes].div(2).exp()
            drawn = torch.randn(spread.shape, generator=batch.generator).to(spread)
            noise = self.settings.noise * drawn * spread
            if name == "product":  # from the factors, which an adversary may have moved
                factors = torch.cat([batch.user_factors, batch.item_factors])
                z = factors * noise.exp() / (1 + factors * noise.expm1())
            else:
                z = (mean[nodes] + noise).sigmoid()
            users, items = z[: len(batch.users)], z[len(batch.users) :]
            scores = (users @ items.T).sigmoid()
            own = scores.gather(1, batch.positive_rows[:, None])[:, 0]
            hardest = scores[:, batch.negative_rows].amax(dim=1)
            ranking = ranking + batch.ranking(own - hardest)
            entries = 1 + capped - mean.square() - capped.exp()
            divergence = divergence - entries.sum(dim=1).mean() / 2
        return {"ranking": ranking, "divergence": self.settings.divergence_weight * divergence}

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        views = [view for view in self.view.values() if isinstance(view, View)]
        preferences = torch.cat([embedding(users, v.preference) for v in views], dim=1)
        return preferences, embedding(items, self.items)


def product(beliefs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and log-variance [N, D] of the product of normal distributions."""
    precisions = [1.0 / (log_variance.exp() + TINY) for _, log_variance in beliefs]
    total = torch.stack(precisions).sum(dim=0)
    weighted = [m * p for (m, _), p in zip(beliefs, precisions, strict=True)]
    return torch.stack(weighted).sum(dim=0) / total, -total.log()
