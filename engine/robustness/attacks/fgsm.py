"""The fast gradient (sign) method on features: one step (Goodfellow et al., arXiv 1412.6572)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from engine.robustness.attacks.attack import AttackConfig, ChangeAt
from engine.robustness.attacks.row_spaces import Rows, RowSpace


class FGSMConfig(AttackConfig):
    """One step along the gradient, all the way to the boundary of the ball."""

    title: ClassVar[str] = "FGSM"
    is_straight: ClassVar[bool] = True

    name: Literal["fgsm"] = "fgsm"

    def changes(
        self,
        new_space: Callable[[], RowSpace],
        lengths: Callable[[float], Rows],
        seed: int,
        draw: int,
    ) -> ChangeAt:
        """``s l_i G_i / ||G_i||`` (L2, AMR eq. 10) or ``s l_i sign(G_i)`` (L-infinity).

        ``G_i`` is the goal's gradient at the clean features; a row without gradient stays as it is.
        """
        del seed, draw  # one step from the clean features: nothing is drawn
        space = new_space()
        _, gradient = space.value_and_gradient(space.zero())
        return lambda strength: (space, self._ball(space, lengths(strength)).step(gradient))
