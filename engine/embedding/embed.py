"""One run's items or users in the plane."""

from __future__ import annotations

import time

import numpy as np

from engine.embedding.embedded_rows import kind_of, rows_of
from engine.embedding.embedding_config import EmbeddingConfig
from engine.embedding.embedding_result import Embedding
from engine.embedding.fuzzy_graph import fuzzy_graph
from engine.embedding.layout import layout, pca_start
from engine.embedding.neighbours import exact_neighbours, trustworthiness
from engine.foundation.progress import Progress, part, silent
from engine.training import Trained


def embed(
    trained: Trained, config: EmbeddingConfig | None = None, progress: Progress = silent
) -> Embedding:
    """UMAP with exact neighbours and a PCA start; one thread, so that a seed gives one map.

    Raises ConfigError where the model lacks what is to be embedded, or has too few rows.
    """
    config = config or EmbeddingConfig()
    started = time.perf_counter()
    rows = rows_of(trained, config)
    ids, distances = exact_neighbours(
        rows, config.n_neighbors, config.metric, part(progress, 0.0, 0.1)
    )
    progress(0.1, "neighbour graph")
    graph = fuzzy_graph(ids, distances)
    start = pca_start(rows, config.metric)
    coordinates = layout(config, graph, start, part(progress, 0.2, 0.95))
    progress(0.95, "trustworthiness")
    trust = trustworthiness(rows, coordinates, config.n_neighbors - 1, config.metric, config.seed)
    progress(1.0, "map")
    return Embedding(
        coordinates=coordinates,
        ids=np.arange(len(rows)),
        points=kind_of(config),
        trustworthiness=trust,
        label=trained.label,
        config=config.model_dump(mode="json"),
        provenance={
            "run": trained.run,
            "label": trained.label,
            "dataset": trained.dataset.name,
            "fingerprint": trained.dataset.fingerprint,
            "width": int(rows.shape[1]),
            "seconds": time.perf_counter() - started,
        },
    )
