"""Computes curvature: ``curvature``."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.curvature_result import Curvature
from engine.geometry.curvature.hessian.lanczos import Matvec
from engine.geometry.curvature.hessian.spectral_density import SpectralDensity, spectral_density
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures import MEASURES, Estimate
from engine.geometry.curvature.measures.input_sharpness import input_sharpness
from engine.geometry.theta import blocks_of
from engine.training import Trained


def curvature(
    trained: Trained, config: CurvatureConfig | None = None, progress: Progress = silent
) -> Curvature:
    """Eigenvalues, trace, density and flatness measures at a run's weights.

    The weights stay as they are. Raises ConfigError where the config asks for what its loss does
    not have.
    """
    config = config or CurvatureConfig()
    if config.gauss_newton and config.loss == "objective":
        raise ConfigError("gauss_newton is of the ranking loss only; set loss to 'ranking'.")
    started = time.perf_counter()
    point = MeasurementPoint(trained, config)
    point.progress = part(progress, 0.0, 0.4)
    pairs, n_top = point.hessian_eigenpairs, point.hessian_eigenpairs.n_top
    hessian = point.whole_hessian
    point.progress = part(progress, 0.4, 0.5)
    trace = point.trace if config.trace_products else None
    point.progress = part(progress, 0.5, 0.6)
    density = _density(point, "density", hessian.product, hessian.space.size)
    blocks: dict[str, float] = {}
    if config.per_block:
        names = blocks_of(trained.model)
        for k, block in enumerate(names):
            point.progress = part(progress, 0.6 + 0.04 * k / len(names), 0.64, f"{block}, ")
            blocks[str(block)] = point.extremes_of(f"block {block}", point.hessian(block)).top
    estimates = measure_all(point, part(progress, 0.65, 0.95))
    point.progress = part(progress, 0.95, 1.0)
    inputs = input_sharpness(trained, point.triples, point.temperature.factor)
    invariant = _invariant_spectrum(point) if config.measures else {}
    progress(1.0, "curvature")
    point.seconds["all"] = time.perf_counter() - started
    return Curvature(
        label=trained.label,
        run=trained.run,
        n_parameters=hessian.space.size,
        n_triples=len(point.triples),
        n_pairs=len(trained.dataset.train),
        loss=hessian.loss(),
        gradient_norm=float(point.gradient_P.double().norm()),
        top_eigenvalues_K=pairs.values_K[:n_top],
        top_residuals_K=pairs.residuals_K[:n_top],
        top_errors_K=pairs.errors_K[:n_top],
        bottom_eigenvalues_K=pairs.values_K[n_top:],
        bottom_residuals_K=pairs.residuals_K[n_top:],
        bottom_errors_K=pairs.errors_K[n_top:],
        has_converged=not point.unconverged,
        unconverged=point.unconverged,
        trace=trace.value if trace else None,
        trace_error=_known(trace.standard_error) if trace else None,
        blocks=blocks,
        measures={name: estimate.value for name, estimate in estimates.items()},
        measure_errors={
            name: estimate.standard_error
            for name, estimate in estimates.items()
            if estimate.standard_error > 0
        },
        temperature=point.temperature.value,
        notes=why_unmeasured(point),
        modalities=list(inputs),
        products=point.products,
        seconds=point.seconds,
        input_sharpness_MI=np.stack(list(inputs.values())) if inputs else np.zeros((0, 0)),
        density_grid_G=density.grid_G if density else np.zeros(0),
        density_G=density.density_G if density else np.zeros(0),
        density_nodes_N=density.nodes_N if density else np.zeros(0),
        density_weights_N=density.weights_N if density else np.zeros(0),
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": trained.dataset.fingerprint,
            "dataset_name": trained.dataset.name,
            "runs": [trained.run],
            "seed": trained.config.seed,
        },
        **invariant,
    )


def measure_all(point: MeasurementPoint, progress: Progress = silent) -> dict[str, Estimate]:
    """Every measure of the table that the point's config asks for and that is defined there."""
    estimates: dict[str, Estimate] = {}
    asked = [measure for measure in MEASURES.values() if measure.is_asked(point.config)]
    for k, measure in enumerate(asked):
        point.progress = part(progress, k / len(asked), (k + 1) / len(asked), f"{measure.title}, ")
        point.progress(0.0, "")
        estimates |= measure.values(point)
    return estimates


def _known(error: float) -> float | None:
    return None if np.isnan(error) else error


def why_unmeasured(point: MeasurementPoint) -> list[str]:
    """Why invariant measures are not defined at a point; empty where they are."""
    if point.temperature.value is None:
        reason = point.temperature.reason
        return [f"No temperature, so no invariant measures: {reason}"]
    if point.invariant_loss is None:
        return ["No invariant measures: all items have the same score for every user"]
    return []


def _density(
    point: MeasurementPoint, what: str, matvec: Matvec, size: int
) -> SpectralDensity | None:
    config = point.config
    if not config.density_probes:
        return None
    with point.stopwatch(what):
        density = spectral_density(
            matvec,
            size,
            torch_generator(config.seed, "spectral density"),
            point.gradient_P,
            config.density_probes,
            config.density_steps,
            progress=point.progress,
        )
    point.products[what] = density.n_products
    return density


def _invariant_spectrum(point: MeasurementPoint) -> dict[str, Any]:
    """What the result holds of the invariant spectrum; nothing where it is not defined."""
    loss, pairs = point.invariant_loss, point.invariant_eigenpairs
    if loss is None or pairs is None:
        return {}
    known: dict[str, Any] = {"invariant_rank": loss.rank, "invariant_eigenvalues_K": pairs.values_K}
    density = _density(point, "invariant density", loss.product, loss.size)
    if density is not None:
        known["invariant_density_grid_G"] = density.grid_G
        known["invariant_density_G"] = density.density_G
    return known
