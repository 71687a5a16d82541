"""Runs beside each other: seeds of one strategy, their outcomes, and tables of both."""

from engine.runs.comparison.strategies import strategies_in, strategy_names

__all__ = ["strategies_in", "strategy_names"]
