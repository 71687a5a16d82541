"""Flatness measures: one file, one line of the table each."""

from engine.geometry.curvature.measures.factor_eigenvalues import (
    ADAPTIVE_TOP_EIGENVALUE,
    BALANCED_TOP_EIGENVALUE,
    FACTOR_TOP_EIGENVALUE,
)
from engine.geometry.curvature.measures.hessian_spectrum import (
    EIGENVALUE_RATIO,
    GAUSS_NEWTON,
    TOP_EIGENVALUE,
    TRACE,
)
from engine.geometry.curvature.measures.input_sharpness import INPUT_SHARPNESS
from engine.geometry.curvature.measures.invariant_sharpness import (
    INVARIANT_GAUSS_NEWTON,
    INVARIANT_SHARPNESS,
    INVARIANT_TOP_EIGENVALUE,
    INVARIANT_TRACE,
)
from engine.geometry.curvature.measures.measure import Estimate, Measure, TransformationName
from engine.geometry.curvature.measures.weight_noise import (
    NOISE_SHARPNESS,
    RELATIVE_NOISE_SHARPNESS,
)
from engine.geometry.curvature.measures.worst_loss import (
    ADAPTIVE_SHARPNESS,
    BALL_SHARPNESS,
    BOX_SHARPNESS,
)

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        INVARIANT_TOP_EIGENVALUE,
        INVARIANT_GAUSS_NEWTON,
        INVARIANT_TRACE,
        INVARIANT_SHARPNESS,
        INPUT_SHARPNESS,
        TOP_EIGENVALUE,
        TRACE,
        EIGENVALUE_RATIO,
        GAUSS_NEWTON,
        BOX_SHARPNESS,
        BALL_SHARPNESS,
        NOISE_SHARPNESS,
        FACTOR_TOP_EIGENVALUE,
        ADAPTIVE_TOP_EIGENVALUE,
        ADAPTIVE_SHARPNESS,
        RELATIVE_NOISE_SHARPNESS,
        BALANCED_TOP_EIGENVALUE,
    )
}
"""Every flatness measure, in the order in which tables and figures show them."""


def measure_of(name: str) -> Measure | None:
    """The measure that a value's name belongs to, with or without a modality; None for others."""
    if name in MEASURES:
        return MEASURES[name]
    return next((m for m in MEASURES.values() if name.startswith(f"{m.name}_")), None)


def title_of(name: str) -> str:
    """A value's title, with its modality where it has one; the name itself for other columns."""
    measure = measure_of(name)
    if measure is None:
        return name.replace("_", " ")
    modality = name.removeprefix(measure.name).removeprefix("_")
    return f"{measure.title}, {modality}" if modality else measure.title


def in_table_order(names: list[str]) -> list[str]:
    """Names of measures' values in the table's order; columns that are none are left out."""
    order = list(MEASURES.values())
    known = [(order.index(m), name) for name in names if (m := measure_of(name)) is not None]
    return [name for _, name in sorted(known, key=lambda pair: pair[0])]


__all__ = [
    "MEASURES",
    "Estimate",
    "Measure",
    "TransformationName",
    "in_table_order",
    "measure_of",
    "title_of",
]
