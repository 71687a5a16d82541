"""Ways to write a recommender down anew: the factors change, every user's order of items does not.

``U' = U A`` and ``V' = V B + 1 s^T``:

- scale: ``A = c I, B = I / c``; rotation: ``A = B = R``; mixing: ``A = M, B = M^-T``, any
  invertible M (all three leave every score as it is);
- temperature: ``A = c I, B = I`` (all scores times c);
- shift: ``s`` added to every item (each user's scores move by a constant of that user).

Legend: U users, I items, D factor width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.data.features import Features
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.measures import TransformationName
from engine.geometry.curvature.symmetry.symmetry_config import SymmetryConfig
from engine.models import Recommender
from engine.training import Trained


@dataclass(frozen=True)
class Transformation:
    """One way to rewrite factors of width D."""

    name: TransformationName
    parameter: str
    """Which of its kind: a factor, a draw, a length."""
    users_DD: Tensor
    items_DD: Tensor
    shift_D: Tensor
    temperature: float = 1.0
    """What it multiplies scores by."""


def transformations(items_ID: Tensor, config: SymmetryConfig) -> Iterator[Transformation]:
    """The config's transformations, for item factors [I, D]; in float64, decided by its seed."""
    width = items_ID.shape[1]
    eye = torch.eye(width, dtype=torch.float64)
    zero = torch.zeros(width, dtype=torch.float64)
    for c in config.scales:
        yield Transformation("scale", f"c = {c:g}", c * eye, eye / c, zero)
    for k in range(config.n_draws):
        turn = _rotation(width, config.seed, 3 * k)
        yield Transformation("rotation", f"draw {k + 1}", turn, turn, zero)
    for k in range(config.n_draws):
        left, right = (_rotation(width, config.seed, 3 * k + j) for j in (1, 2))
        half = config.condition**0.5
        sizes = torch.logspace(-1, 1, width, base=half, dtype=torch.float64)
        mix = left @ torch.diag(sizes) @ right
        yield Transformation("mixing", f"draw {k + 1}", mix, torch.linalg.inv(mix).T, zero)
    for c in config.temperatures:
        yield Transformation("temperature", f"c = {c:g}", c * eye, eye, zero, c)
    typical = float(torch.linalg.vector_norm(items_ID.double(), dim=1).mean())
    for k, length in enumerate(config.shifts):
        draws = torch_generator(config.seed, "symmetry shift", k)
        way = torch.randn(width, generator=draws, dtype=torch.float64)
        shift = length * typical * way / torch.linalg.vector_norm(way)
        yield Transformation("shift", f"{length:g} mean lengths", eye, eye, shift)


def _rotation(width: int, seed: int, index: int) -> Tensor:
    draws = torch_generator(seed, "symmetry rotation", index)
    normal = torch.randn(width, width, generator=draws, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    return q * r.diagonal().sign()


class FactorTables(Recommender):
    """A model's factors as its weights: ``users`` [U, D] and ``items`` [I, D].

    Features move its factors as they move the model's own, through the transformation, so that
    gradients by features are those of the rewritten model.
    """

    affine = True

    def __init__(self, trained: Trained, how: Transformation | None = None) -> None:
        nn.Module.__init__(self)
        self.config, self.modalities = trained.config.model, trained.model.modalities
        self.n_users, self.n_items = trained.model.n_users, trained.model.n_items
        self._features = trained.features
        # In a tuple, so that the model's parameters are not this one's.
        self._source = (trained.model,)
        self._factors = trained.factors()
        users_UD, items_ID = self._factors
        self._maps: tuple[Tensor, Tensor] | None = None
        if how is not None:
            self._maps = how.users_DD.to(users_UD), how.items_DD.to(items_ID)
            shift_D = how.shift_D.to(items_ID.device)
            users_UD = (users_UD.double() @ how.users_DD.to(users_UD.device)).to(users_UD)
            rewritten_ID = items_ID.double() @ how.items_DD.to(items_ID.device) + shift_D
            items_ID = rewritten_ID.to(items_ID)
        self.users = nn.Parameter(users_UD.clone(), requires_grad=False)
        self.items = nn.Parameter(items_ID.clone(), requires_grad=False)

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        if all(features[m] is self._features[m] for m in self.modalities):
            return self.users, self.items
        moved = self._source[0](features)
        steps = [there - here for there, here in zip(moved, self._factors, strict=True)]
        if self._maps is not None:
            steps = [step @ map_DD for step, map_DD in zip(steps, self._maps, strict=True)]
        return self.users + steps[0], self.items + steps[1]

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[0]
        return factors if users is None else factors[users]

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[1]
        return factors if items is None else factors[items]


def with_factors_as_weights(trained: Trained, how: Transformation | None = None) -> Trained:
    """A run whose weights are the run's factor tables, transformed; as they are for None."""
    model = FactorTables(trained, how).eval()
    return dataclasses.replace(trained, model=model)
