"""From run folders to the outcomes that strategies are compared by."""

from __future__ import annotations

from collections.abc import Sequence

from engine.evaluation import SeedOutcome, UserMetrics
from engine.foundation.errors import RunError
from engine.runs.comparison.strategies import strategy_names
from engine.runs.run import Run


def outcomes_of(runs: Sequence[Run], metric: str) -> list[SeedOutcome]:
    """The outcomes of finished runs; ``strategy_names`` says which are one strategy.

    Raises RunError where runs were trained on different data, or one has not finished.
    """
    prints = {run.provenance.get("dataset", {}).get("fingerprint") for run in runs}
    if len(prints) > 1:
        raise RunError("the runs were trained on different datasets; compare runs of one dataset.")
    outcomes = []
    for run, strategy in zip(runs, strategy_names(runs), strict=True):
        summary = run.summary
        if not summary.get("test"):
            raise RunError(f"run {run.id} has no test metrics (state: {run.state}); leave it out.")
        by_user: dict[int, float] | None = None
        if run.has_result(UserMetrics.kind):
            per_user = run.load_result(UserMetrics)
            if metric in per_user.metrics:
                by_user = dict(
                    zip(per_user.users_U.tolist(), per_user.values(metric).tolist(), strict=True)
                )
        outcomes.append(
            SeedOutcome(
                strategy=strategy,
                seed=int(run.config.get("seed", 0)),
                valid=summary["valid"],
                test=summary["test"],
                by_user=by_user,
                gradient_passes=int(summary.get("gradient_passes", 0)),
                seconds=float(summary.get("seconds", 0.0)),
                diverged=run.state == "diverged",
            )
        )
    return outcomes
