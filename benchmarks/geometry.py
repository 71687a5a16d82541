"""Exact slices over point by point, and factor-space Hessian products over double backward.

The weights are those of a few epochs of plain VBPR. Point by point is timed on single points of the
grid and extrapolated to all of them. Double backward runs over all triples at once, its fastest
form. Products are counted until the top five eigenvalues are within 1e-3, and two more to spare, as
Lanczos itself estimates;
the true error is taken against a run to 1e-6. SciPy's ``eigsh`` is asked for the same five at its
own tolerance of 1e-3. ``--size posters`` looks for ml100k-posters in BASIN_DATA.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from benchmarks.measure import SIZES, Row, against, dataset_of, interleaved, options, report
from engine.data import Dataset
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian
from engine.geometry.curvature.hessian.gathered_hessian import GatheredHessian
from engine.geometry.curvature.hessian.lanczos import extreme_eigenpairs
from engine.geometry.directions.random_directions import normalise, random_direction
from engine.geometry.fixed_sample import FixedSample
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.slices.plane import Plane
from engine.geometry.slices.plane_evaluation import PlaneEvaluator
from engine.geometry.theta import factors_at, theta_of
from engine.training import Trained, fit, preset

POINTS = 51
"""Grid points along each axis."""

EPOCHS = {"sample": 20, "posters": 30, "baby": 5, "sports": 5}

MOST_PRODUCTS = {"sample": 60, "posters": 60, "baby": 90, "sports": 90}
"""For the top five eigenvalues."""


def trained_on(dataset: Dataset, size: str, device: str) -> Trained:
    """Plain VBPR after a few epochs."""
    config = preset("plain", {"epochs": EPOCHS[size], "device": device})
    done = fit(dataset, config)
    return Trained(done.model, dataset, done.features, config, "plain")


def slice_rows(run: Trained, rounds: int) -> list[Row]:
    """The whole grid over point by point, and how far the two are apart."""
    device = next(run.model.parameters()).device
    sample = FixedSample.draw(run.dataset, ["train_loss"], None, None, 0, device)
    theta = theta_of(run)
    plane = Plane(
        run,
        theta,
        tuple(normalise(random_direction(run.model, 0, k), theta, "filter") for k in (0, 1)),
    )
    axis = np.linspace(-1, 1, POINTS)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    some = np.linspace(0, len(grid) - 1, rounds + 1).astype(int).tolist()
    asked = iter(some)
    by_point: dict[int, float] = {}
    whole: list[np.ndarray] = []

    def one_point() -> None:
        place = next(asked)
        with torch.no_grad():
            users, items = factors_at(run, plane.theta(*grid[place].tolist()))
        by_point[place] = mean_ranking_loss(users, items, sample.triples["train"])

    def all_points() -> None:
        whole[:] = [PlaneEvaluator(plane, sample).values(["train_loss"], grid)[0]]

    seconds = interleaved({"point": one_point, "grid": all_points}, rounds)
    error = max(abs(whole[0][g] / value - 1) for g, value in by_point.items())
    n = len(sample.triples["train"])
    label = f"{POINTS} x {POINTS} slice, {n:,} triples / extrapolated"
    return [
        against(seconds, "grid", "point", 1 / 150, len(grid), label),
        Row("largest relative difference / 1e-5", error, 1e-5, error / 1e-5, 1.0, ""),
    ]


def product_rows(run: Trained, rounds: int) -> list[Row]:
    """One Hessian product through the factors over double backward."""
    device = next(run.model.parameters()).device
    triples = FixedSample.draw(run.dataset, [], None, None, 0, device).triples["train"]
    factor = FactorHessian(run, triples)
    at_once = GatheredHessian(run, triples, batch=len(triples))
    vector = factor.space.normal(torch_generator(0, "benchmark"))

    def timed(work: FactorHessian | GatheredHessian) -> None:
        work.product(vector)
        if device.type == "cuda":
            torch.cuda.synchronize()

    work = {"factor": lambda: timed(factor), "gathered": lambda: timed(at_once)}
    seconds = interleaved(work, rounds)
    wanted, got = at_once.product(vector), factor.product(vector)
    error = float((wanted - got).norm() / wanted.norm())
    return [
        against(seconds, "factor", "gathered", 1 / 5, label="Hessian product / double backward"),
        Row("relative difference of the products / 1e-5", error, 1e-5, error / 1e-5, 1.0, ""),
    ]


def eigenvalue_rows(run: Trained, size: str) -> list[Row]:
    """Products until the top five eigenvalues are there, and their true error."""
    device = next(run.model.parameters()).device
    triples = FixedSample.draw(run.dataset, [], None, None, 0, device).triples["train"]
    hessian = FactorHessian(run, triples)
    start = hessian.space.normal(torch_generator(0, "lanczos"))
    began = time.perf_counter()
    pairs = extreme_eigenpairs(hessian.product, start, 5)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(5):
        hessian.product(start)
    alone = (time.perf_counter() - began) / 5 * pairs.n_products
    exact = extreme_eigenpairs(hessian.product, start, 5, tolerance=1e-6)
    error = float(np.abs(pairs.values_K / exact.values_K - 1).max())
    n, limit, usual = pairs.n_products, MOST_PRODUCTS[size], products_of_eigsh(hessian)
    return [
        Row("products for the top five eigenvalues / limit", n, limit, n / limit, 1.0, ""),
        Row("their largest relative error / 1e-3", error, 1e-3, error / 1e-3, 1.0, ""),
        Row("the same products / SciPy eigsh's", n, usual, n / usual, None, ""),
        Row("time for them / its products alone", seconds, alone, seconds / alone, None),
    ]


def products_of_eigsh(hessian: FactorHessian) -> int:
    """Hessian products that SciPy's implicitly restarted Lanczos takes for the top five."""
    before = hessian.n_products
    size, like = hessian.space.size, hessian.gradient()

    def product(vector_P: np.ndarray) -> np.ndarray:
        image_P = hessian.product(torch.from_numpy(vector_P).ravel().to(like))
        product_P: np.ndarray = image_P.cpu().numpy()
        return product_P

    start = hessian.space.normal(torch_generator(0, "lanczos")).cpu().float().numpy()
    operator = LinearOperator((size, size), matvec=product, dtype=np.float32)
    eigsh(operator, k=5, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)
    return hessian.n_products - before


def main(argv: list[str]) -> int:
    """Print the rows of this benchmark; 1 where a target is missed with --check."""
    asked = options(__doc__ or "", argv, (*SIZES, "posters"))
    run = trained_on(dataset_of(asked.size), asked.size, asked.device)
    rows = slice_rows(run, asked.rounds)
    rows += product_rows(run, asked.rounds)
    rows += eigenvalue_rows(run, asked.size)
    return report(rows, asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
