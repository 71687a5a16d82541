"""The ``flatness`` command: flatness by strategy, and does it predict robustness?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.terminal import add_common, records, store_of
from engine.foundation.errors import ConfigError, RunError
from engine.runs import RunStore


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``flatness``."""
    parser.add_argument(
        "runs", nargs="*", help="runs to look at; none: all that finished on the newest's dataset"
    )
    parser.add_argument("--metric", default="recall@20", help="e.g. ndcg@10 (default: recall@20)")
    parser.add_argument(
        "--strength", type=float, default=0.1, help="of every perturbation (default: 0.1)"
    )
    parser.add_argument("--csv", type=Path, help="also write the correlations")
    parser.add_argument("--runs-csv", type=Path, help="also write the table of runs")
    parser.add_argument("--flatness-csv", type=Path, help="also write the table by strategy")
    add_common(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Gather, correlate, print. Raises RunError where too few runs have both analyses.

    The table of flatness is printed and written before that.
    """
    from engine.studies.flatness_and_robustness import gather_flatness_and_robustness

    if not arguments.metric.strip():
        raise ConfigError("--metric names no metric; give one, e.g. ndcg@10.")
    store = store_of(arguments)
    both = gather_flatness_and_robustness(
        store, _chosen(arguments, store), arguments.metric, arguments.strength
    )
    for lacking, command in (
        (both.without_curvature, "curvature RUN"),
        (both.without_curves, f"robustness RUN --strengths {arguments.strength:g}"),
    ):
        if lacking and not arguments.json:
            named = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
            print(f"{len(lacking)} runs need `python -m engine {command}` first: {named}")
    if arguments.flatness_csv:
        both.flatness.to_csv(arguments.flatness_csv, index=False)
    if len(both.flatness) and not arguments.json:
        print(
            f"\nFlatness by strategy: mean and 95 % interval over its n seeds (Student's t). "
            f"Curvatures of one setting: {both.ground}. Only measures with is_invariant may be "
            "compared between runs (no rewriting of the factors moves them); larger is "
            "sharper. Worst losses are lower bounds."
        )
        columns = ["measure", "strategy", "mean", "low", "high", "n", "is_invariant", "moved_by"]
        shown = both.flatness[columns]
        print(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}"), end="\n\n")
    table = both.correlations()
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.runs_csv:
        both.table.to_csv(arguments.runs_csv, index=False)
    if not arguments.json:
        strategies = both.table["strategy"].nunique()
        print(
            f"{len(both.table)} runs of {strategies} strategies; Spearman's rank correlation of "
            f"each flatness measure with the share of test {arguments.metric} lost at strength "
            f"{arguments.strength:g}, 95 % bootstrap intervals over seeds, none below 8. A "
            "correlation over few strategies is mostly a difference between strategies: read the "
            "controls; and of many correlations, one in twenty leaves 0 outside by chance."
        )
        shown = table[~table["control"].str.startswith("only ")]
        print(shown.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    return {
        "metric": arguments.metric,
        "strength": arguments.strength,
        "flatness": records(both.flatness),
        "runs": records(both.table),
        "table": records(table),
    }


def _chosen(arguments: argparse.Namespace, store: RunStore) -> list[str]:
    if arguments.runs:
        return [store.get(run).id for run in arguments.runs]
    table = store.list()
    done = table[table["state"] == "finished"] if len(table) else table
    if done.empty:
        raise RunError("no run has finished; `train` makes one.")
    newest = done.sort_values("id")["fingerprint"].iloc[-1]
    return sorted(done.loc[done["fingerprint"] == newest, "id"])
