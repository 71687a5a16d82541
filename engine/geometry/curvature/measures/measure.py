"""What the flatness measures are, and which of them a rescaling of the factors moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A flatness measure: what it is, and whether ``U -> cU, V -> V/c`` leaves it as it is."""

    description: str
    is_invariant: bool


MEASURES: dict[str, Measure] = {
    "top_eigenvalue": Measure("largest Hessian eigenvalue", False),
    "trace": Measure("sum of Hessian eigenvalues", False),
    "eigenvalue_ratio": Measure("largest over fifth largest eigenvalue", False),
    "gauss_newton_top_eigenvalue": Measure("largest Gauss-Newton eigenvalue", False),
    "box_sharpness": Measure("epsilon-sharpness of Keskar, percent", False),
    "ball_sharpness": Measure("worst loss in a ball of radius rho (SAM), above the loss", False),
    "noise_sharpness": Measure("mean loss under Gaussian weight noise, above the loss", False),
    "factor_top_eigenvalue": Measure("largest eigenvalue by the factors (U, V)", False),
    "adaptive_top_eigenvalue": Measure("largest eigenvalue of |theta| H |theta|", True),
    "adaptive_sharpness": Measure("worst loss in ASAM's ball, above the loss", True),
    "relative_noise_sharpness": Measure(
        "mean loss under noise relative to each weight, above the loss", True
    ),
    "balanced_top_eigenvalue": Measure(
        "largest eigenvalue by the factors after balancing U and V", True
    ),
    "input_sharpness_image": Measure("mean ||dL/dx_i|| over items, images", True),
    "input_sharpness_text": Measure("mean ||dL/dx_i|| over items, texts", True),
}
"""Every flatness measure a result may hold; larger is sharper."""
