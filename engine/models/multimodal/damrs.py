"""DA-MRS: noisy features and noisy feedback told from true ones (Xv et al., KDD 2024)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.agreeing_graph import AgreeingGraph
from engine.models.parts.feature_graph import GraphOrigin
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.parts.graphs import (
    Propagate,
    compressed,
    layer_mean,
    most_common_neighbours,
    normalised_adjacency,
    sparse_tensor,
    symmetrically_normalised,
)
from engine.models.recommender import (
    ModelOutput,
    MultimodalConfig,
    readable_modalities,
    xavier_uniform,
)
from engine.models.terms import TermInputs


class DAMRSConfig(MultimodalConfig):
    """Item graphs on which all modalities agree, and feedback weighed by how sure all views are."""

    name: Literal["da-mrs"] = "da-mrs"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graphs (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Most edges that leave an item in a modality's graph, the one to itself among them (10 as
    released)."""
    n_common: int = Field(default=2, ge=1, le=1000)
    """Items that an item points to in the graph of behaviour: those that share most users with it,
    two at least (2 in the released configuration)."""
    alignment_weight: float = Field(default=1.0, ge=0)
    """Factor of the divergence between what behaviour and item graphs predict (1 as released)."""
    neighbour_weight: float = Field(default=1e-3, ge=0)
    """Factor of the discrimination of neighbours (1e-3 in the released configuration)."""
    n_positives: int = Field(default=10, ge=1, le=1000)
    """Neighbours that count as positives, of all views and of one (10 in the released code)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the discrimination of neighbours (0.2 in the released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where the graphs of modalities come from: the features at hand, or the dataset's own as in
    the released code, so that features changed after training change no score at all."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> DAMRS:
        return DAMRS(self, dataset, generator)


BEHAVIOUR = "behaviour"
"""The view of items that share users."""


class DAMRS(GraphRecommender):
    """``U = e_users``, ``V = e_items + mean of views h``, e LightGCN's mean; affine.

    A view is what free item embeddings become over one item graph: each modality's of items that
    are alike in all modalities, and that of items which share users. Training minimises three
    terms and no ranking loss beside them:

    - ranking: ``-(a log sigmoid(s_ui - s_uj) + b log sigmoid(s_uj - s_ui))`` with weights held
      constant. With ``p`` the sigmoids of the views' own scores of (u, i), by unit embeddings:
      ``a = mean(p) exp(-2 var(p))``, and ``b = max(p) - n`` where ``mean(p) < n``, the average for
      all negatives, else 0; both between 0 and 1;
    - alignment: the symmetric divergence of ``sigmoid(<U, e_items>)`` and ``sigmoid(<U, h>)``, of
      unit item embeddings, over all pairs of the batch's users and items;
    - neighbours: for each view, ``-log(A / T) - log(B / (T - A))``, sums of ``exp(cos / t)`` over
      an item's positives A, the next B and all items T. A are the items that the softmax over
      cosines finds most likely, all views added and the own one twice; B those of the own view
      among the rest.

    Which items are positives is held constant. Features act through the modalities' graphs alone.
    The released code has no penalty on embeddings: set ``objective.regulariser.weight`` to 0.
    """

    affine: ClassVar[bool] = True
    row_local: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    holds_constant: ClassVar[bool] = True
    term_names = ("ranking", "alignment", "neighbours")
    adjacency: Tensor
    common: Tensor
    transposed: Tensor

    def __init__(self, config: DAMRSConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        shared = most_common_neighbours(dataset.matrix("train").T.tocsr(), config.n_common)
        near = (shared >= 2).astype(float) + sparse.identity(self.n_items)
        common = sparse_tensor(symmetrically_normalised(near))
        self.register_buffer("common", common, persistent=False)
        self.register_buffer("transposed", compressed(common.to_sparse_coo().t()), persistent=False)
        self.graphs = {
            m: AgreeingGraph(dataset, m, self.modalities, config.n_neighbours, config.item_graph)
            for m in self.modalities
        }

    def output(self, features: Features) -> ModelOutput:
        settings = self.settings
        mean = layer_mean(self.adjacency, self.users, self.items, settings.n_layers)
        behaviour = self.items
        for _ in range(settings.n_item_layers):
            behaviour = Propagate.apply(self.common, self.transposed, behaviour)
        views = {
            m: self.graphs[m].smoothed(features, self.items, settings.n_item_layers)
            for m in self.modalities
        } | {BEHAVIOUR: behaviour}
        side = torch.stack(list(views.values())).mean(dim=0)
        walked = mean[self.n_users :]
        extras = {**views, "walked": walked, "side": side}
        return ModelOutput(mean[: self.n_users], walked + side, extras)

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        settings = self.settings
        views = [batch.extras[name] for name in (*self.modalities, BEHAVIOUR)]
        return {
            "ranking": self.weighted_ranking(batch, views),
            "alignment": settings.alignment_weight * self.alignment(batch),
            "neighbours": settings.neighbour_weight * self.neighbours(batch.items, views),
        }

    def weighted_ranking(self, batch: TermInputs, views: list[Tensor]) -> Tensor:
        """The ranking term (a scalar)."""
        users, items = batch.user_factors, batch.item_factors
        gaps = items[batch.positive_rows] - items[batch.negative_rows]
        margins = (users * gaps).sum(dim=1)
        with torch.no_grad():
            odds = [
                torch.stack(
                    [
                        (users * normalize(view[batch.items[rows]])).sum(dim=1).sigmoid()
                        for view in views
                    ]
                )
                for rows in (batch.positive_rows, batch.negative_rows)
            ]
            likely, average = odds[0].mean(dim=0), odds[1].mean()
            positive = (likely * torch.exp(-2 * odds[0].var(dim=0))).clamp(0, 1)
            excess = (odds[0].amax(dim=0) - average).clamp(0, 1)
            negative = torch.where(likely < average, excess, 0.0)
        return -(positive * logsigmoid(margins) + negative * logsigmoid(-margins)).mean()

    def alignment(self, batch: TermInputs) -> Tensor:
        """Mean symmetric divergence of two predictions: ``(p - q) (logit p - logit q)``."""
        distinct, places = torch.unique(batch.users, return_inverse=True)
        first = torch.full_like(distinct, len(places)).scatter_reduce(
            0, places, torch.arange(len(places), device=places.device), "amin"
        )
        users = batch.user_factors[first]
        walked, side = (
            users @ normalize(batch.extras[name][batch.items]).T for name in ("walked", "side")
        )
        return ((walked.sigmoid() - side.sigmoid()) * (walked - side)).mean()

    def neighbours(self, items: Tensor, views: list[Tensor]) -> Tensor:
        """Mean discrimination of neighbours over the views (a scalar)."""
        settings = self.settings
        n_positives = min(settings.n_positives, self.n_items // 2)
        units = [normalize(view) for view in views]
        cosines = [unit[items] @ unit.T for unit in units]
        likely = [c.detach().softmax(dim=1) for c in cosines]
        everyone = torch.stack(likely).sum(dim=0)
        total = cosines[0].new_zeros(())
        for own, cosine in zip(likely, cosines, strict=True):
            of_all = (everyone + own).topk(n_positives, dim=1).indices
            of_own = own.scatter(1, of_all, 0.0).topk(n_positives, dim=1).indices
            odds = (cosine / settings.temperature).exp()
            among, next_best = (odds.gather(1, near).sum(dim=1) for near in (of_all, of_own))
            whole = odds.sum(dim=1)
            loss = -(among / whole).log() - (next_best / (whole - among)).log()
            total = total + loss.mean() / len(views)
        return total
