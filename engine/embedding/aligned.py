"""Maps of several runs that can be laid side by side.

Shapes: S runs, n points, k neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.embedding.embedded_rows import kind_of, rows_of
from engine.embedding.embedding_config import AlignedConfig
from engine.embedding.embedding_result import AlignedEmbeddings
from engine.embedding.fuzzy_graph import common_neighbours, fuzzy_graph
from engine.embedding.layout import (
    layout,
    pca_start,
    progress_bar_arguments,
    random_state,
    umap_module,
)
from engine.embedding.neighbours import exact_neighbours, trustworthiness
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.training import Trained

INT32 = np.iinfo(np.int32)


def aligned_embeddings(
    trained: Sequence[Trained], config: AlignedConfig | None = None, progress: Progress = silent
) -> AlignedEmbeddings:
    """One map a run, of the same ids, made to lie on each other.

    The first run's map is exactly what ``embed`` gives under procrustes alignment; the others start
    from its coordinates, so that what is alike lies alike. The first run is laid out a second time
    in the same way as the others, which tells how far points move by the layout alone. Raises
    ConfigError for fewer than two runs, runs of different datasets, or as ``embed`` does.
    """
    config = config or AlignedConfig()
    started = time.perf_counter()
    if len(trained) < 2:
        raise ConfigError(f"{len(trained)} run was given; maps are aligned between two or more.")
    sizes = {(run.dataset.n_users, run.dataset.n_items, run.dataset.name) for run in trained}
    if len(sizes) > 1:
        raise ConfigError("the runs are of different datasets; points are matched by their ids.")
    rows = [rows_of(run, config) for run in trained]
    neighbours = [exact_neighbours(x, config.n_neighbors, config.metric) for x in rows]
    graphs = [fuzzy_graph(ids, distances) for ids, distances in neighbours]
    progress(0.2, "neighbour graphs")
    start = pca_start(rows[0], config.metric)
    if config.alignment == "joint":
        maps = _joint(config, graphs, start, part(progress, 0.2, 0.8))
        again = _joint(config, [graphs[0]] * 2, start, part(progress, 0.8, 0.95))[1]
    else:
        maps = _one_by_one(config, graphs, start, part(progress, 0.2, 0.8))
        again = procrustes(maps[0], layout(config, graphs[0], maps[0], part(progress, 0.8, 0.95)))
    coordinates = np.stack(maps)
    k = config.n_neighbors - 1
    trust = [
        trustworthiness(x, y, k, config.metric, config.seed)
        for x, y in zip(rows, maps, strict=True)
    ]
    progress(1.0, "maps")
    return AlignedEmbeddings(
        coordinates=coordinates,
        ids=np.arange(coordinates.shape[1]),
        points=kind_of(config),
        labels=[run.label or f"run {i + 1}" for i, run in enumerate(trained)],
        trustworthiness=np.array(trust),
        overlap=neighbour_overlap([ids for ids, _ in neighbours]),
        moved=np.linalg.norm(coordinates - coordinates[0], axis=2),
        moved_again=np.linalg.norm(again - maps[0], axis=1),
        lost=neighbours_lost([ids for ids, _ in neighbours]),
        config=config.model_dump(mode="json"),
        provenance={
            "runs": [run.run for run in trained],
            "dataset": trained[0].dataset.name,
            "fingerprint": trained[0].dataset.fingerprint,
            "seconds": time.perf_counter() - started,
        },
    )


def procrustes(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """``moving`` [n, 2] turned, mirrored and shifted as a whole to lie nearest ``fixed`` [n, 2].

    Orthogonal Procrustes (Schoenemann, 1966): distances within ``moving`` stay as they are.
    """
    centre, mean = fixed.mean(axis=0), moving.mean(axis=0)
    left, _, right = np.linalg.svd((moving - mean).T @ (fixed - centre))
    return ((moving - mean) @ (left @ right) + centre).astype(moving.dtype)


def neighbour_overlap(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Mean share of true neighbours (the point itself left out) that two runs share: [S, S].

    ``ids`` [n, k] of each run, as ``exact_neighbours`` gives them.
    """
    n = len(ids[0])
    keys = [(np.arange(n)[:, None] * n + x[:, 1:]).ravel() for x in ids]
    shares = [[np.isin(a, b, assume_unique=True).mean() for b in keys] for a in keys]
    return np.array(shares)


def neighbours_lost(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Share of each point's true neighbours in the first run that it does not have in each: [S, n].

    ``ids`` [n, k] of each run, as ``exact_neighbours`` gives them; no map is looked at.
    """
    n, k = ids[0].shape
    points = np.arange(n)[:, None] * n
    first = points + ids[0][:, 1:]
    lost = [~np.isin(first, points + other[:, 1:], assume_unique=True) for other in ids]
    return np.stack([is_lost.sum(axis=1) / max(k - 1, 1) for is_lost in lost])


def _one_by_one(
    config: AlignedConfig, graphs: list[Any], start: np.ndarray, progress: Progress
) -> list[np.ndarray]:
    maps: list[np.ndarray] = []
    for index, graph in enumerate(graphs):
        inner = part(progress, index / len(graphs), (index + 1) / len(graphs), f"map {index + 1}, ")
        moving = layout(config, graph, maps[0] if maps else start, inner)
        maps.append(procrustes(maps[0], moving) if maps else moving)
    return maps


def _joint(
    config: AlignedConfig, graphs: list[Any], start: np.ndarray, progress: Progress
) -> list[np.ndarray]:
    """AlignedUMAP's layout on exact neighbours: every run is pulled towards every other.

    A point is pulled the more, the more neighbours it shares with itself in the other run. umap
    weakens the pull by ``exp(1 - distance)`` between slices, as befits a series in time; runs have
    no order, so that is undone here. Its windows leave out their last slice, so they are one wider.
    """
    import numba

    umap = umap_module("umap_")
    n_runs, n = len(graphs), len(start)
    relations = np.full((n_runs, 2 * n_runs + 1, n), -1, dtype=np.int32)
    weights = np.zeros(relations.shape, dtype=np.float32)
    for run in range(n_runs):
        for other in range(n_runs):
            if other != run:
                place = other - run + n_runs
                relations[run, place] = np.arange(n)
                undone = np.exp(abs(other - run) - 1)
                weights[run, place] = undone * common_neighbours(graphs[run], graphs[other])
    rows, columns, epochs, maps = (numba.typed.List() for _ in range(4))
    for graph in graphs:
        rows.append(graph.row.astype(np.int32))
        columns.append(graph.col.astype(np.int32))
        epochs.append(umap.make_epochs_per_sample(graph.data, config.epochs))
        maps.append(start.astype(np.float32, order="C", copy=True))
    a, b = umap.find_ab_params(1.0, config.min_dist)
    draws = random_state(config, 2).randint(INT32.min + 1, INT32.max - 1, 3).astype(np.int64)
    laid_out = umap_module("layouts").optimize_layout_aligned_euclidean(
        maps,
        maps,
        rows,
        columns,
        config.epochs,
        epochs,
        weights,
        relations,
        draws,
        a=a,
        b=b,
        lambda_=config.pull,
        parallel=False,
        tqdm_kwds=progress_bar_arguments(progress, config.epochs),
        move_other=True,
    )
    return [np.array(y, dtype=np.float32) for y in laid_out]
