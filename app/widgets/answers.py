"""The sentence that a page opens with: what the data say, and how sure that is."""

from __future__ import annotations

import pandas as pd

from app.charts.text import escape, short

ONE_SEED = " One seed each: may be chance."


def leader_sentence(
    table: pd.DataFrame, of_several: str, of_one: str, number: str = "{:.3f}", largest: bool = True
) -> str:
    """A sentence on the strategies with the best and the worst mean, with intervals over seeds.

    ``table`` has one row a run: ``group`` and ``value``. ``of_several`` may use ``best``,
    ``worst``, ``best_value`` and ``worst_value``, ``of_one`` the first of each. ``largest`` says
    that the best is the largest. Adds what makes the difference doubtful.
    """
    from engine.evaluation import metric_intervals

    if table.empty:
        return "The chosen runs do not say."
    means = metric_intervals(table, ["value"]).sort_values("mean", ascending=not largest)
    best, worst = means.iloc[0], means.iloc[-1]
    words = {
        "best": escape(short(best["group"])),
        "worst": escape(short(worst["group"])),
        "best_value": _with_interval(best, number),
        "worst_value": _with_interval(worst, number),
    }
    if len(means) == 1:
        return of_one.format(**words) + (ONE_SEED if best["n"] == 1 else "")
    return of_several.format(**words) + _doubt(best, worst)


def _with_interval(row: pd.Series, number: str) -> str:
    mean = number.format(row["mean"])
    if row["n"] < 2:
        return mean
    return f"{mean}, 95 % interval {number.format(row['low'])} to {number.format(row['high'])}"


def _doubt(best: pd.Series, worst: pd.Series) -> str:
    """What keeps a difference of two means from being sure; '' where nothing does."""
    if min(best["n"], worst["n"]) < 2:
        return ONE_SEED
    overlap = min(best["high"], worst["high"]) >= max(best["low"], worst["low"])
    return " Their intervals overlap: the difference may be chance." if overlap else ""
