"""Accuracy against the strength of a perturbation: config, computation, result, statistics."""
