"""What flatness measures of one run share: triples, Hessians, factors, each computed once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor

from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian, FactorLoss
from engine.geometry.curvature.hessian.gathered_hessian import GatheredHessian, HessianOperator
from engine.geometry.curvature.hessian.lanczos import Eigenpairs, Matvec, extreme_eigenpairs
from engine.geometry.curvature.hessian.spectral_density import TraceEstimate, hutch_plus_plus
from engine.geometry.curvature.invariant_metric import InvariantLoss
from engine.geometry.curvature.neighbourhood import Neighbourhood
from engine.geometry.curvature.temperature import Temperature, fit_temperature
from engine.geometry.theta import factors_at, theta_of
from engine.geometry.triples import frozen_triples
from engine.models import Block
from engine.objectives import Triples
from engine.training import Trained


class MeasurementPoint:
    """A run's weights and the fixed triples, with all that several measures need there.

    It counts products, times what was asked of it, and collects what did not converge and what
    could not be measured.
    """

    def __init__(self, trained: Trained, config: CurvatureConfig) -> None:
        self.trained = trained
        self.config = config
        self.progress: Progress = silent
        """Of what is being computed now."""
        self.products: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.unconverged: list[str] = []
        device = next(trained.model.parameters()).device
        self.triples: Triples = frozen_triples(
            trained.dataset, config.n_triples, config.seed, "train", device
        )

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor]:
        """User factors [U, D] and item factors [I, D] at the weights."""
        with torch.no_grad():
            return factors_at(self.trained, theta_of(self.trained))

    @cached_property
    def factor_loss(self) -> FactorLoss:
        """The ranking loss by the factors at the weights."""
        return FactorLoss(*self.factors, self.triples)

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """The ranking loss around the weights."""
        return Neighbourhood(self.trained, self.triples)

    @cached_property
    def ranking_hessian(self) -> FactorHessian:
        """The ranking loss's Hessian by all weights, whatever loss the config names."""
        return FactorHessian(self.trained, self.triples, factor_loss=self.factor_loss)

    @cached_property
    def temperature(self) -> Temperature:
        """What calibrates the scores, fitted on validation triples."""
        return fit_temperature(*self.factors, self.trained.dataset, self.config.seed)

    @cached_property
    def invariant_loss(self) -> InvariantLoss | None:
        """The ranking loss in whitened factor steps; None without a temperature or any score."""
        if self.temperature.value is None:
            return None
        loss = InvariantLoss(*self.factors, self.temperature.value, self.triples)
        return loss if loss.rank else None

    @cached_property
    def invariant_eigenpairs(self) -> Eigenpairs | None:
        """Both ends of the invariant spectrum: the config's ``n_top`` and the smallest."""
        loss = self.invariant_loss
        if loss is None:
            return None
        return self.eigenpairs(
            "invariant eigenvalues", loss.product, self.invariant_start(), self.config.n_top, 1
        )

    def invariant_start(self) -> Tensor:
        """A random whitened vector to start from."""
        assert self.invariant_loss is not None
        draws = torch_generator(self.config.seed, "invariant eigenvalue")
        return torch.randn(self.invariant_loss.size, generator=draws).to(self.factors[0])

    def hessian(self, block: Block | None = None, gauss_newton: bool = False) -> HessianOperator:
        """The Hessian of the config's loss, of all parameters or one block's."""
        if self.config.loss == "objective":
            return GatheredHessian(self.trained, self.triples, "objective", block)
        return FactorHessian(self.trained, self.triples, block, gauss_newton, self.factor_loss)

    @cached_property
    def whole_hessian(self) -> HessianOperator:
        """The Hessian of the config's loss by all parameters."""
        return self.hessian()

    @cached_property
    def gradient_P(self) -> Tensor:
        """The gradient of the config's loss by all parameters."""
        return self.whole_hessian.gradient()

    @cached_property
    def hessian_eigenpairs(self) -> Eigenpairs:
        """The config's ``n_top`` and ``n_bottom`` eigenpairs of the whole Hessian."""
        config = self.config
        return self.extremes_of("eigenvalues", self.whole_hessian, config.n_top, config.n_bottom)

    @cached_property
    def trace(self) -> TraceEstimate:
        """Of the whole Hessian, by the config's number of products."""
        hessian, config = self.whole_hessian, self.config
        krylov = self.hessian_eigenpairs.krylov
        with self.stopwatch("trace"):
            estimate = hutch_plus_plus(
                hessian.product, hessian.space.size, config.trace_products,
                torch_generator(config.seed, "trace"), self.gradient_P, krylov, self.progress,
            )  # fmt: skip
        self.products["trace"] = estimate.n_products
        return estimate

    def extremes_of(
        self, what: str, hessian: HessianOperator, n_top: int = 1, n_bottom: int = 0
    ) -> Eigenpairs:
        """Extreme eigenpairs of a Hessian by weights."""
        start_P = hessian.space.normal(torch_generator(self.config.seed, "lanczos"))
        return self.eigenpairs(what, hessian.product, start_P, n_top, n_bottom)

    def eigenpairs(
        self, what: str, matvec: Matvec, start_P: Tensor, n_top: int = 1, n_bottom: int = 0
    ) -> Eigenpairs:
        """Extreme eigenpairs to the config's tolerance; books products, time and convergence."""
        config = self.config
        with self.stopwatch(what):
            pairs = extreme_eigenpairs(
                matvec, start_P, n_top, n_bottom, config.tolerance, 10 * config.tolerance,
                config.max_products, self.progress,
            )  # fmt: skip
        self.products[what] = pairs.n_products
        if not pairs.has_converged:
            self.unconverged.append(what)
        return pairs

    @contextmanager
    def stopwatch(self, what: str) -> Iterator[None]:
        """Book the wall time of a block under a name."""
        started = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - started
