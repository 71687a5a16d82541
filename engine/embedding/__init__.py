"""Items and users in the plane: UMAP with exact neighbours, and maps of several runs aligned."""

from engine.embedding.aligned import (
    aligned_embeddings,
    neighbour_overlap,
    neighbours_lost,
    procrustes,
)
from engine.embedding.embed import embed
from engine.embedding.embedding_config import AlignedConfig, EmbeddingConfig
from engine.embedding.embedding_result import AlignedEmbeddings, Embedding
from engine.embedding.neighbours import exact_neighbours, trustworthiness

__all__ = [
    "AlignedConfig",
    "AlignedEmbeddings",
    "Embedding",
    "EmbeddingConfig",
    "aligned_embeddings",
    "embed",
    "exact_neighbours",
    "neighbour_overlap",
    "neighbours_lost",
    "procrustes",
    "trustworthiness",
]
