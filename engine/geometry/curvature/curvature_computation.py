"""Computes curvature: ``curvature``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.curvature_result import Curvature
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian, FactorLoss
from engine.geometry.curvature.hessian.gathered_hessian import Curved, GatheredHessian
from engine.geometry.curvature.hessian.lanczos import Eigenpairs, extreme_eigenpairs
from engine.geometry.curvature.hessian.spectral_density import hutch_plus_plus, spectral_density
from engine.geometry.curvature.neighbourhood import (
    Neighbourhood,
    adaptive_sharpness,
    adaptive_top_eigenpair,
    balanced_top_eigenpair,
    ball_sharpness,
    box_sharpness,
    factor_top_eigenpair,
    input_sharpness,
    noise_sharpness,
)
from engine.geometry.theta import blocks_of, factors_at, theta_of
from engine.geometry.triples import frozen_triples
from engine.models import Block
from engine.objectives import Triples
from engine.training import Trained


def curvature(
    trained: Trained, config: CurvatureConfig | None = None, progress: Progress = silent
) -> Curvature:
    """Eigenvalues, trace, density and flatness measures at a run's weights (science.md, 7).

    The weights stay as they are. Raises ConfigError where the config asks for what its loss does
    not have.
    """
    config = config or CurvatureConfig()
    if config.gauss_newton and config.loss == "objective":
        raise ConfigError("gauss_newton is of the ranking loss only; set loss to 'ranking'.")
    return _Study(trained, config, progress).result()


class _Study:
    """One analysis in progress: what it counts and times."""

    def __init__(self, trained: Trained, config: CurvatureConfig, progress: Progress) -> None:
        self.trained = trained
        self.config = config
        self.progress = progress
        self.products: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.measures: dict[str, float] = {}
        self.unconverged: list[str] = []
        device = next(trained.model.parameters()).device
        self.triples: Triples = frozen_triples(
            trained.dataset, config.n_triples, config.seed, "train", device
        )
        self._factor_loss: FactorLoss | None = None

    @property
    def factor_loss(self) -> FactorLoss:
        """The ranking loss by the factors at the run's weights, made once."""
        if self._factor_loss is None:
            users, items = factors_at(self.trained, theta_of(self.trained))
            self._factor_loss = FactorLoss(users, items, self.triples)
        return self._factor_loss

    def hessian(self, block: Block | None = None, gauss_newton: bool = False) -> Curved:
        """The Hessian of the config's loss, of all parameters or one block's."""
        if self.config.loss == "objective":
            return GatheredHessian(self.trained, self.triples, "objective", block)
        return FactorHessian(self.trained, self.triples, block, gauss_newton, self.factor_loss)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - started

    def eigenpairs(
        self, hessian: Curved, what: str, n_top: int, n_bottom: int, progress: Progress
    ) -> Eigenpairs:
        config = self.config
        start_P = hessian.space.normal(torch_generator(config.seed, "lanczos"))
        with self.timed(what):
            pairs = extreme_eigenpairs(
                hessian.product,
                start_P,
                n_top,
                n_bottom,
                config.tolerance,
                10 * config.tolerance,
                config.max_products,
                progress,
            )
        self.counted(what, pairs)
        return pairs

    def counted(self, what: str, pairs: Eigenpairs) -> float:
        """Book the products and what did not converge; the largest eigenvalue."""
        self.products[what] = pairs.n_products
        if not pairs.has_converged:
            self.unconverged.append(what)
        return pairs.top

    def result(self) -> Curvature:
        config, progress = self.config, self.progress
        started = time.perf_counter()
        hessian = self.hessian()
        gradient_P = hessian.gradient()
        pairs = self.eigenpairs(
            hessian, "eigenvalues", config.n_top, config.n_bottom, part(progress, 0.0, 0.4)
        )
        n_top = pairs.n_top
        top = pairs.values_K[:n_top]
        self.measures["top_eigenvalue"] = float(top[0])
        if len(top) >= 5 and top[4] > 0:
            self.measures["eigenvalue_ratio"] = float(top[0] / top[4])
        trace = error = None
        if config.trace_products:
            draws = torch_generator(config.seed, "trace")
            with self.timed("trace"):
                estimate = hutch_plus_plus(
                    hessian.product, hessian.space.size, config.trace_products, draws, gradient_P,
                    pairs.krylov, part(progress, 0.4, 0.5),
                )  # fmt: skip
            trace = estimate.value
            error = None if np.isnan(estimate.standard_error) else estimate.standard_error
            self.measures["trace"] = trace
            self.products["trace"] = estimate.n_products
        density = self._density(hessian, part(progress, 0.5, 0.7))
        blocks = {}
        if config.per_block:
            for k, block in enumerate(found := blocks_of(self.trained.model)):
                within = part(progress, 0.7 + 0.04 * k / len(found), 0.74, f"{block}, ")
                own = self.eigenpairs(self.hessian(block), f"block {block}", 1, 0, within)
                blocks[str(block)] = own.top
        if config.gauss_newton:
            within = part(progress, 0.74, 0.75, "Gauss-Newton, ")
            own = self.eigenpairs(self.hessian(gauss_newton=True), "gauss_newton", 1, 0, within)
            self.measures["gauss_newton_top_eigenvalue"] = own.top
        inputs = input_sharpness(self.trained, self.triples)
        for modality, lengths_I in inputs.items():
            self.measures[f"input_sharpness_{modality}"] = float(lengths_I.mean())
        if config.measures:
            with self.timed("measures"):
                self._measure_around(part(progress, 0.75, 1.0))
        progress(1.0, "curvature")
        self.seconds["all"] = time.perf_counter() - started
        return Curvature(
            label=self.trained.label,
            run=self.trained.run,
            n_parameters=hessian.space.size,
            n_triples=len(self.triples),
            n_pairs=len(self.trained.dataset.train),
            loss=hessian.loss(),
            gradient_norm=float(gradient_P.double().norm()),
            top_eigenvalues_K=top,
            top_residuals_K=pairs.residuals_K[:n_top],
            top_errors_K=pairs.errors_K[:n_top],
            bottom_eigenvalues_K=pairs.values_K[n_top:],
            bottom_residuals_K=pairs.residuals_K[n_top:],
            bottom_errors_K=pairs.errors_K[n_top:],
            has_converged=not self.unconverged,
            unconverged=self.unconverged,
            trace=trace,
            trace_error=error,
            blocks=blocks,
            measures=self.measures,
            modalities=list(inputs),
            products=self.products,
            seconds=self.seconds,
            input_sharpness_MI=np.stack(list(inputs.values())) if inputs else np.zeros((0, 0)),
            config=config.model_dump(mode="json"),
            provenance={
                "dataset": self.trained.dataset.fingerprint,
                "dataset_name": self.trained.dataset.name,
                "runs": [self.trained.run],
            },
            **density,
        )

    def _density(self, hessian: Curved, progress: Progress) -> dict[str, np.ndarray]:
        config = self.config
        empty = np.zeros(0)
        names = ("density_grid_G", "density_G", "density_nodes_N", "density_weights_N")
        if not config.density_probes:
            return dict.fromkeys(names, empty)
        with self.timed("density"):
            found = spectral_density(
                hessian.product,
                hessian.space.size,
                torch_generator(config.seed, "spectral density"),
                hessian.gradient(),
                config.density_probes,
                config.density_steps,
                progress=progress,
            )
        self.products["density"] = found.n_products
        arrays = (found.grid_G, found.density_G, found.nodes_N, found.weights_N)
        return dict(zip(names, arrays, strict=True))

    def _measure_around(self, progress: Progress) -> None:
        """Measures of the ranking loss around the weights, whatever loss the Hessian is of."""
        config, measures = self.config, self.measures
        progress(0.0, "worst losses nearby")
        around = Neighbourhood(self.trained, self.triples)
        measures["box_sharpness"] = box_sharpness(around, config.epsilon)
        measures["ball_sharpness"] = ball_sharpness(around, config.rho)
        measures["adaptive_sharpness"] = adaptive_sharpness(around, config.adaptive_rho)
        progress(0.4, "weight noise")
        measures["noise_sharpness"] = noise_sharpness(
            around, config.sigma, config.n_draws, config.seed, relative=False
        )
        measures["relative_noise_sharpness"] = noise_sharpness(
            around, config.relative_sigma, config.n_draws, config.seed, relative=True
        )
        progress(0.6, "rescaling-invariant eigenvalues")
        ranking = FactorHessian(self.trained, self.triples, factor_loss=self.factor_loss)
        how = (config.seed, config.tolerance, config.max_products)
        for what, pairs in (
            ("adaptive", adaptive_top_eigenpair(ranking, around.origin_P, *how)),
            ("factor", factor_top_eigenpair(self.factor_loss, *how)),
            ("balanced", balanced_top_eigenpair(self.factor_loss, self.triples, *how)),
        ):
            measures[f"{what}_top_eigenvalue"] = self.counted(what, pairs)
