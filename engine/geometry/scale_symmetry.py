"""Why a raw eigenvalue proves nothing between two runs: ``U -> cU, V -> V/c``.

Every score, so every loss and metric, stays as it is, while the raw Hessian's largest eigenvalue
moves at will (arXiv 1703.04933, for the two factors of an inner product).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import pandas as pd
import torch

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent, track
from engine.foundation.seeding import torch_generator
from engine.geometry.factor_hessian import FactorHessian, FactorLoss
from engine.geometry.lanczos import extreme_eigenpairs
from engine.geometry.sharpness import (
    Neighbourhood,
    adaptive_sharpness,
    adaptive_top_eigenvalue,
    balanced_top_eigenvalue,
    ball_sharpness,
)
from engine.geometry.theta import theta_of
from engine.geometry.triples import frozen_triples
from engine.training import Trained


def rescaled(trained: Trained, c: float) -> Trained:
    """A copy of a run with user parameters times ``c`` and all others divided by ``c``.

    Raises ConfigError for c <= 0, and where that changes the scores because the model mixes user
    and item parameters in its factors (graph models).
    """
    if c <= 0:
        raise ConfigError(f"c is {c}; a positive factor is needed.")
    # Buffers are shared: they hold no weights, and a sparse graph cannot be copied this way.
    buffers = {id(b): b for b in trained.model.buffers()}
    model = copy.deepcopy(trained.model, buffers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(c if model.block(name) == "users" else 1.0 / c)
    copied = dataclasses.replace(trained, model=model)
    users, items = trained.factors()
    users_c, items_c = copied.factors()
    some = slice(0, 256)
    before, after = users[some] @ items[some].T, users_c[some] @ items_c[some].T
    if not torch.allclose(before, after, rtol=1e-3, atol=1e-4 * float(before.abs().max())):
        raise ConfigError(
            f"{type(model).__name__} mixes user and item parameters in its factors, so U -> cU, "
            "V -> V/c cannot be made by scaling them; choose bpr-mf or vbpr."
        )
    return copied


def scale_symmetry(
    trained: Trained,
    factors: Sequence[float] = (0.5, 1.0, 2.0),
    n_triples: int | None = 20_000,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The demonstration: raw measures move under the rescaling, their companions do not.

    One row a factor c: c, loss, top_eigenvalue, ball_sharpness, adaptive_top_eigenvalue,
    adaptive_sharpness, balanced_top_eigenvalue.
    """
    device = next(trained.model.parameters()).device
    triples = frozen_triples(trained.dataset, n_triples, seed, "train", device)
    rows = []
    for c in track(list(factors), progress, "rescaled weights"):
        run = rescaled(trained, c)
        around = Neighbourhood(run, triples)
        hessian = FactorHessian(run, triples)
        start_P = hessian.space.normal(torch_generator(seed, "lanczos"))
        loss: FactorLoss = hessian.factor_loss
        rows.append(
            {
                "c": c,
                "loss": hessian.loss(),
                "top_eigenvalue": float(
                    extreme_eigenpairs(hessian.product, start_P, 1).values_K[0]
                ),
                "ball_sharpness": ball_sharpness(around, 0.05),
                "adaptive_top_eigenvalue": adaptive_top_eigenvalue(
                    hessian, hessian.space.vector(theta_of(run)), seed
                )[0],
                "adaptive_sharpness": adaptive_sharpness(around, 0.5),
                "balanced_top_eigenvalue": balanced_top_eigenvalue(loss, triples, seed)[0],
            }
        )
    return pd.DataFrame(rows)
