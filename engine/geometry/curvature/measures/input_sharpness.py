"""How far the loss moves with an item's features, at calibrated temperature.

Legend: U users, I items, D factor width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.geometry.curvature.hessian.factor_hessian import FactorLoss
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure
from engine.geometry.theta import factors_at, theta_of
from engine.objectives import Triples
from engine.training import Trained


def input_gradients(
    trained: Trained, triples: Triples, temperature: float = 1.0
) -> dict[str, Tensor]:
    """``dL / dx_i`` of the mean ranking loss by each modality's features: [I, width] each.

    Of the loss at scores times ``temperature``.
    """
    if not trained.model.modalities:
        return {}
    leaves = {m: trained.features[m].detach().requires_grad_() for m in trained.model.modalities}
    with torch.enable_grad():
        users, items = factors_at(trained, theta_of(trained), leaves)
    slopes = FactorLoss(temperature * users.detach(), items.detach(), triples).gradient()
    slopes = temperature * slopes[0], slopes[1]
    outputs = [(f, g) for f, g in zip((users, items), slopes, strict=True) if f.requires_grad]
    gradients = torch.autograd.grad(
        [f for f, _ in outputs], list(leaves.values()), [g for _, g in outputs]
    )
    return dict(zip(leaves, gradients, strict=True))


def input_sharpness(
    trained: Trained, triples: Triples, temperature: float = 1.0
) -> dict[str, np.ndarray]:
    """``||dL / dx_i||_2`` of each item by modality: [I]; nats a triple, per unit of feature.

    An item that no triple names has 0.
    """
    return {
        m: torch.linalg.vector_norm(g, dim=1).double().cpu().numpy()
        for m, g in input_gradients(trained, triples, temperature).items()
    }


def _mean_over_items(point: MeasurementPoint) -> dict[str, Estimate] | None:
    if point.temperature.value is None:
        return None
    lengths = input_sharpness(point.trained, point.triples, point.temperature.value)
    return {m: Estimate(float(lengths_I.mean())) for m, lengths_I in lengths.items()}


INPUT_SHARPNESS = Measure(
    "input_sharpness",
    "input sharpness",
    "mean ||dL/dx_i|| over items, at calibrated temperature",
    "nats / feature",
    _mean_over_items,
    is_asked=lambda config: True,
)
