"""Gaussian noise drawn at the width of a linear projection instead of the features'.

Shapes: n chosen items, P width of the projection.
"""

from __future__ import annotations

import torch

from engine.data.perturbations.noise.gaussian import GaussianConfig
from engine.foundation.seeding import torch_generator
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_perturbation import ProjectedRay


def projected_gaussian(
    config: GaussianConfig, model: ModelUnderTest, seed: int, draw: int
) -> ProjectedRay:
    """A draw with exactly the distribution of ``config.path`` seen through the projection.

    ``A z`` is normal with covariance ``K = A A^T``, so ``K^(1/2) w`` with w standard normal [n, P]
    is distributed alike. The symmetric root is taken, so that runs with similar projections get
    similar draws from the same w. Cheaper on wide features, but another draw than ``path``'s.
    """
    items = model.items(config)
    width = model.projected_features.shape[1]
    moved = torch.zeros(len(items), width, device=model.device, dtype=model.dtype)
    for m in model.modalities(config):
        generator = torch_generator(seed, f"projected normal {m}", draw)
        w = torch.randn(model.dataset.n_items, width, generator=generator).to(moved)
        values, vectors = torch.linalg.eigh(model.grams[m].double())
        root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        scale = model.lengths(m, items, "l2", config.unit) / model.width(m) ** 0.5
        moved += scale[:, None] * (w.index_select(0, items) @ root.to(moved))
    return ProjectedRay(items, moved)
