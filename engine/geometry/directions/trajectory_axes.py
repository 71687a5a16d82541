"""Training trajectories: their main axes, and their shadow on a plane.

The axes are the principal components of the snapshots' differences to the final weights
(arXiv 1712.09913, section 7). Legend: N snapshots, K coordinates (1 or 2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.geometry.long_vectors import inner_products, length
from engine.geometry.theta import Theta, ThetaSpace


def main_axes(
    space: ThetaSpace,
    origins: Sequence[Theta],
    snapshots: Sequence[Sequence[Theta]],
    count: int,
) -> tuple[list[dict[str, Tensor]], list[float]]:
    """The first ``count`` principal axes of all runs' trajectories, each of length 1.

    Also the share of the squared distance from the runs' weights that each holds. Raises
    ConfigError where the snapshots span fewer axes.
    """
    gaps = [
        space.vector(snapshot) - space.vector(origin)
        for origin, run in zip(origins, snapshots, strict=True)
        for snapshot in run
    ]
    if not gaps:
        raise ConfigError(
            "direction 'trajectory' needs weights saved along training, and none were given."
        )
    gaps_NP = torch.stack(gaps)
    gram_NN = inner_products(gaps_NP, gaps_NP)
    values, vectors = torch.linalg.eigh(gram_NN)
    total = float(gram_NN.trace())
    axes, shares = [], []
    for k in range(1, count + 1):
        if k > len(values) or float(values[-k]) <= 1e-10 * max(total, 1e-300):
            raise ConfigError(
                f"the {len(gaps)} saved snapshots span {k - 1} directions, {count} are needed; "
                "save more of them, or choose another direction."
            )
        axis = vectors[:, -k].to(gaps_NP) @ gaps_NP
        axes.append(space.theta(axis / length(axis)))
        shares.append(float(values[-k]) / total)
    return axes, shares


def project_trajectory(
    space: ThetaSpace,
    origin: Theta,
    directions: Sequence[Theta],
    snapshots: Sequence[Theta],
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [N, 2] of the plane's points nearest to each snapshot (0 second on a line).

    Also the share [2] of the snapshots' squared distance from the origin that the first direction
    holds, and that the second adds to it.
    """
    base = space.vector(origin)
    axes_KP = torch.stack([space.vector(d) for d in directions])
    gram_KK = inner_products(axes_KP, axes_KP)
    gaps_NP = torch.stack([space.vector(s) - base for s in snapshots])
    dots_NK = inner_products(gaps_NP, axes_KP)
    solve = torch.linalg.pinv(gram_KK, hermitian=True)
    places = torch.zeros(len(snapshots), 2, dtype=torch.float64)
    places[:, : len(directions)] = (dots_NK @ solve).cpu()
    total = float(gaps_NP.double().square().sum())
    shares = np.zeros(2)
    if total > 0:
        shares_of_first = []
        for k in range(1, len(directions) + 1):
            inverse = torch.linalg.pinv(gram_KK[:k, :k], hermitian=True)
            shares_of_first.append(float((dots_NK[:, :k] @ inverse * dots_NK[:, :k]).sum()) / total)
        shares[: len(shares_of_first)] = np.diff([0.0, *shares_of_first])
    return places.numpy(), shares
