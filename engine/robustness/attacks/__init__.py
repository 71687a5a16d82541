"""Perturbations that follow a gradient, and what they raise.

A new attack on features is one new file and one entry in the union below.
"""

from engine.robustness.attacks.attack import AttackConfig, GoalConfig
from engine.robustness.attacks.fgsm import FGSMConfig
from engine.robustness.attacks.pgd import PGDConfig

AnyFeatureAttack = FGSMConfig | PGDConfig
"""Every attack on features."""

__all__ = ["AnyFeatureAttack", "AttackConfig", "FGSMConfig", "GoalConfig", "PGDConfig"]
