"""What can be measured at a point of weight space: losses and ranking metrics, by name."""

from __future__ import annotations

import re

QUANTITIES = re.compile(
    r"train_loss|valid_loss|robust_loss|train_objective"
    r"|(robust_)?(recall|ndcg|precision|map|hr)@[1-9][0-9]*"
)
"""Losses, and metrics at any k on the validation split; ``robust_`` is on perturbed features."""


def is_metric(quantity: str) -> bool:
    """Whether a quantity is a ranking metric rather than a loss."""
    return "@" in quantity


def is_ranking_loss(quantity: str) -> bool:
    """Whether a quantity is the mean BPR loss of some triples, a function of the scores alone."""
    return not is_metric(quantity) and quantity != "train_objective"
