"""A fixed set of attacks, the worst of which counts, beside how far a run uses its features."""

from engine.robustness.standard.masking_checks import masking_checks
from engine.robustness.standard.plain_twins import is_plain, plain_twin
from engine.robustness.standard.standard_attacks import standard_attacks
from engine.robustness.standard.standard_config import ATTACK_TITLES, StandardAttackConfig
from engine.robustness.standard.standard_result import StandardAttacks
from engine.robustness.standard.strategy_summary import strategy_summary
from engine.robustness.standard.tradeoff_table import tradeoff, tradeoff_means

__all__ = [
    "ATTACK_TITLES",
    "StandardAttackConfig",
    "StandardAttacks",
    "is_plain",
    "masking_checks",
    "plain_twin",
    "standard_attacks",
    "strategy_summary",
    "tradeoff",
    "tradeoff_means",
]
