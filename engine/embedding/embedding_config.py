"""What is embedded in the plane, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.foundation.config import Config

What = Literal["item_factors", "user_factors", "features", "projected_features"]


class EmbeddingConfig(Config):
    """A UMAP of items or users (McInnes et al., arXiv 1802.03426)."""

    what: What = "item_factors"
    """``item_factors`` / ``user_factors``: what scores are made of; ``features``: what the model
    reads; ``projected_features``: the features as the model's projection sees them."""
    modality: str = "both"
    """Which features, for the last two: a name of the dataset's modalities such as image or text,
    or both (or all) that the model reads; of several, features are joined with each modality's rows
    scaled to length 1, and projected features are summed as the model sums them."""
    n_neighbors: int = Field(default=15, ge=2, le=200)
    """Neighbours, the point itself among them, that the map tries to keep; few show detail, many
    show the whole."""
    min_dist: float = Field(default=0.1, ge=0, le=0.99)
    """How close points may lie in the map, in the map's unit."""
    metric: Literal["euclidean", "cosine"] = "cosine"
    """Distance between rows before the map."""
    epochs: int = Field(default=200, ge=10, le=5000)
    """Passes of the layout over the neighbour graph."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides the layout's draws; equal seeds give equal maps on one machine."""


class AlignedConfig(EmbeddingConfig):
    """Maps of several runs that can be laid side by side."""

    alignment: Literal["procrustes", "joint"] = "procrustes"
    """``procrustes``: each run has its own map, turned, mirrored and moved as a whole onto the
    first's, so that distances within a map are untouched; ``joint``: all maps are laid out at once
    and each point is pulled towards itself in the other runs (AlignedUMAP)."""
    pull: float = Field(default=0.005, ge=0, le=1)
    """Strength of that pull, for ``joint`` (0.01 is AlignedUMAP's default)."""
