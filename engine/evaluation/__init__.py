"""Ranking metrics, intervals and paired comparisons."""

from engine.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    effect_size,
    mean_interval,
)
from engine.evaluation.ranking import (
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
from engine.evaluation.sampled import evaluate_sampled

__all__ = [
    "METRICS",
    "Evaluation",
    "EvaluationConfig",
    "Interval",
    "Metric",
    "bootstrap_interval",
    "effect_size",
    "evaluate",
    "evaluate_sampled",
    "hits_among_top",
    "is_relevant",
    "mean_interval",
    "metrics_of_hits",
    "top_items",
]
