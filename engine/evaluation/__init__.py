"""Ranking metrics, intervals and paired comparisons."""

from engine.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    effect_size,
    holm,
    mean_interval,
    paired_p_value,
)
from engine.evaluation.per_user import UserMetrics
from engine.evaluation.ranking_metrics import (
    METRICS,
    Evaluation,
    EvaluationConfig,
    Metric,
    evaluate,
    hits_among_top,
    is_relevant,
    metrics_of_hits,
    top_items,
)
from engine.evaluation.sampled import evaluate_released, evaluate_sampled
from engine.evaluation.strategy_comparison import SeedOutcome, compare, compare_metrics
from engine.evaluation.strategy_means import item_group_means, metric_intervals

__all__ = [
    "METRICS",
    "Evaluation",
    "EvaluationConfig",
    "Interval",
    "Metric",
    "SeedOutcome",
    "UserMetrics",
    "bootstrap_interval",
    "compare",
    "compare_metrics",
    "effect_size",
    "evaluate",
    "evaluate_released",
    "evaluate_sampled",
    "hits_among_top",
    "holm",
    "is_relevant",
    "item_group_means",
    "mean_interval",
    "metric_intervals",
    "metrics_of_hits",
    "paired_p_value",
    "top_items",
]
