"""The curvature of a run's loss: eigenvalues, trace, spectral density and flatness measures.

Legend: K eigenvalues, G grid points, N quadrature nodes, M modalities, I items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result
from engine.geometry.curvature.measures import measure_of


def _empty() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Curvature(Result):
    """The curvature of one run's loss at its weights."""

    kind: ClassVar[str] = "curvature"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "top_eigenvalues_K": ("eigenvalue",),
        "top_residuals_K": ("eigenvalue",),
        "top_errors_K": ("eigenvalue",),
        "bottom_eigenvalues_K": ("eigenvalue",),
        "bottom_residuals_K": ("eigenvalue",),
        "bottom_errors_K": ("eigenvalue",),
        "density_grid_G": ("grid",),
        "density_G": ("grid",),
        "density_nodes_N": ("node",),
        "density_weights_N": ("node",),
        "input_sharpness_MI": ("modality", "item"),
        "invariant_eigenvalues_K": ("eigenvalue",),
        "invariant_density_grid_G": ("grid",),
        "invariant_density_G": ("grid",),
    }
    units: ClassVar[dict[str, str]] = {
        "top_eigenvalues_K": "nats per squared unit of weight",
        "bottom_eigenvalues_K": "nats per squared unit of weight",
        "density_G": "share of eigenvalues per unit of eigenvalue",
        "input_sharpness_MI": "nats a triple per unit of feature, at calibrated temperature",
        "invariant_eigenvalues_K": "nats per squared unit of score",
        "invariant_density_G": "share of eigenvalues per unit of eigenvalue",
    }

    label: str
    run: str
    n_parameters: int
    n_triples: int
    loss: float
    """Of the frozen triples, at the weights."""
    gradient_norm: float
    """L2; not zero at early-stopped weights, so these are not exactly minima."""
    top_eigenvalues_K: np.ndarray
    """Descending."""
    top_residuals_K: np.ndarray
    """``||H v - lambda v||`` of each unit eigenvector."""
    bottom_eigenvalues_K: np.ndarray
    """Ascending."""
    bottom_residuals_K: np.ndarray
    has_converged: bool
    """Whether all eigenvalues, those of blocks and measures included, reached their tolerance."""
    trace: float | None
    trace_error: float | None
    """Standard error of ``trace``."""
    blocks: dict[str, float]
    """Top eigenvalue of each block's own Hessian."""
    measures: dict[str, float]
    """Flatness measures by the names of ``MEASURES``."""
    modalities: list[str]
    """Modalities of ``input_sharpness_MI``."""
    products: dict[str, int]
    """Hessian-vector products by what they were for."""
    seconds: dict[str, float]
    """Wall time by what it was for."""
    density_grid_G: np.ndarray
    density_G: np.ndarray
    density_nodes_N: np.ndarray
    density_weights_N: np.ndarray
    input_sharpness_MI: np.ndarray
    """``||dL / dx_i||_2`` of each modality and item."""
    unconverged: list[str] = field(default_factory=list)
    """What did not reach its tolerance, by the names of ``products``."""
    n_pairs: int = 0
    """All training pairs of the dataset; 0 where a result of an older version does not say."""
    top_errors_K: np.ndarray = field(default_factory=_empty)
    """Estimates of the relative errors; empty in results of an older version."""
    bottom_errors_K: np.ndarray = field(default_factory=_empty)
    measure_errors: dict[str, float] = field(default_factory=dict)
    """Standard errors of the sampled measures."""
    temperature: float | None = None
    """What scores are multiplied by before invariant measures and input sharpness."""
    notes: list[str] = field(default_factory=list)
    """What could not be measured, and why."""
    invariant_rank: int = 0
    """Rank of the centred scores: the factor width that the invariant measures see."""
    invariant_eigenvalues_K: np.ndarray = field(default_factory=_empty)
    """Largest ones, descending, then the smallest."""
    invariant_density_grid_G: np.ndarray = field(default_factory=_empty)
    invariant_density_G: np.ndarray = field(default_factory=_empty)

    @property
    def ground(self) -> str:
        """Of which loss and on which share of the training pairs the Hessian is, in words."""
        is_known = self.n_pairs > 0
        share = "all " if is_known and self.n_triples == self.n_pairs else ""
        of = f" ({self.n_triples / self.n_pairs:.0%} of all)" if is_known and not share else ""
        loss = "whole objective" if self.config.get("loss") == "objective" else "ranking loss"
        return f"{loss} on {share}{self.n_triples:,} frozen training triples{of}"

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: run, label, measure, value, standard_error, unit, is_invariant,
        moved_by, description."""
        rows = []
        for name, value in self.measures.items():
            measure = measure_of(name)
            if measure is not None:
                error = self.measure_errors.get(name, np.nan)
                rows.append(
                    (self.run, self.label, name, value, error, measure.unit, measure.is_invariant,
                     ", ".join(measure.moved_by), measure.description)
                )  # fmt: skip
        columns = ["run", "label", "measure", "value", "standard_error", "unit", "is_invariant"]
        return pd.DataFrame(rows, columns=[*columns, "moved_by", "description"])

    def eigenvalue_frame(self) -> pd.DataFrame:
        """One row an eigenvalue: run, label, end (top or bottom), rank from 1, eigenvalue, residual
        (``||H v - lambda v||``), estimated_error (relative), tolerance (of that).
        """
        tolerance = float(self.config.get("tolerance", float("nan")))
        rows = []
        for end, allowed, *columns in (
            ("top", tolerance, self.top_eigenvalues_K, self.top_residuals_K, self.top_errors_K),
            (
                "bottom", 10 * tolerance, self.bottom_eigenvalues_K, self.bottom_residuals_K,
                self.bottom_errors_K,
            ),
        ):  # fmt: skip
            values, residuals, errors = columns
            known = errors if len(errors) else np.full(len(values), np.nan)
            for rank, (value, *bounds) in enumerate(zip(values, residuals, known, strict=True), 1):
                rows.append((self.run, self.label, end, rank, float(value), *bounds, allowed))
        names = ["run", "label", "end", "rank", "eigenvalue", "residual", "estimated_error"]
        return pd.DataFrame(rows, columns=[*names, "tolerance"])

    def summary_frame(self) -> pd.DataFrame:
        """One row a number of the whole Hessian or of a block: run, label, quantity, value, error.

        ``error`` is the trace's standard error; NaN where a number has none.
        """
        numbers: dict[str, tuple[float, float]] = {
            "loss": (self.loss, np.nan),
            "gradient norm": (self.gradient_norm, np.nan),
        }
        if len(self.bottom_eigenvalues_K):
            numbers["smallest eigenvalue"] = (float(self.bottom_eigenvalues_K[0]), np.nan)
        if self.temperature is not None:
            numbers["temperature"] = (self.temperature, np.nan)
            numbers["rank of centred scores"] = (self.invariant_rank, np.nan)
        if self.trace is not None:
            error = np.nan if self.trace_error is None else self.trace_error
            numbers["trace"] = (self.trace, error)
            numbers["trace / parameters"] = (
                self.trace / self.n_parameters,
                error / self.n_parameters,
            )
        if len(self.density_nodes_N):
            mean = float(self.density_nodes_N @ self.density_weights_N)
            numbers["mean of the density"] = (mean, np.nan)
        for block, value in self.blocks.items():
            numbers[f"top eigenvalue, {block} alone"] = (value, np.nan)
        rows = [(self.run, self.label, name, *pair) for name, pair in numbers.items()]
        return pd.DataFrame(rows, columns=["run", "label", "quantity", "value", "error"])

    def cost_frame(self) -> pd.DataFrame:
        """One row a purpose: run, label, purpose, products (with the Hessian), seconds."""
        purposes = list(dict.fromkeys([*self.products, *self.seconds]))
        return pd.DataFrame(
            {
                "run": self.run,
                "label": self.label,
                "purpose": purposes,
                "products": [self.products.get(p, np.nan) for p in purposes],
                "seconds": [self.seconds.get(p, np.nan) for p in purposes],
            }
        )

    def input_frame(self) -> pd.DataFrame:
        """One row a modality and item, most sensitive first: run, label, modality, item (its
        number in the dataset), input_sharpness.
        """
        m, i = np.indices(self.input_sharpness_MI.shape).reshape(2, -1)
        table = pd.DataFrame(
            {
                "run": self.run,
                "label": self.label,
                "modality": np.array(self.modalities, dtype=object)[m],
                "item": i,
                "input_sharpness": self.input_sharpness_MI.reshape(-1),
            }
        )
        return table.sort_values("input_sharpness", ascending=False, ignore_index=True)

    def tables(self) -> dict[str, pd.DataFrame]:
        inputs = {"inputs": self.input_frame()} if self.modalities else {}
        return {
            "": self.to_frame(),
            "eigenvalues": self.eigenvalue_frame(),
            "summary": self.summary_frame(),
            "cost": self.cost_frame(),
            **inputs,
        }

    @property
    def findings(self) -> str:
        """What did not converge or could not be measured, and that the weights are no minimum."""
        text = "".join(f"{note}. " for note in self.notes)
        if not self.has_converged:
            named = ", ".join(self.unconverged) or "eigenvalues"
            text += f"Not within tolerance when the products ran out: {named}. "
        lowest = self.bottom_eigenvalues_K[:1]
        if len(lowest) and lowest[0] < 0:
            text += (
                f"The smallest eigenvalue is {lowest[0]:.2g} and the gradient norm "
                f"{self.gradient_norm:.2g}: early-stopped weights are no minimum of the loss. "
            )
        return text

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        text = (
            f"Hessian of the {self.ground}, at the weights of {self.label or self.run or 'the run'}"
            f" ({self.n_parameters:,} parameters); gradient norm {self.gradient_norm:.2g}. "
            f"{self.findings}"
        )
        return text + (
            "Rewriting the factors changes raw eigenvalues at will and no order of items, so "
            "compare runs by the measures that no rewriting moves; and flatness alone does not "
            "prove robustness."
        )
