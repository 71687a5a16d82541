"""``data``, ``list``, ``show`` and ``compare``: what there is, and how it compares."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.reading import add_reading, source_of
from engine.cli.terminal import add_common, records, store_of
from engine.foundation.errors import ConfigError, DataError
from engine.jobs.run_list import list_runs as runs_table
from engine.runs import Run
from engine.runs.records import writing

if TYPE_CHECKING:
    import pandas as pd


def data_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``data``."""
    parser.add_argument(
        "dataset", nargs="?", help="folder, table, 'sample' or 'synthetic:...'; none lists all"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="report what is missing, repeated or dropped, and show some items; exit status 1 "
        "where the dataset cannot be read",
    )
    add_reading(parser, "--seed")
    add_common(parser)


def data(arguments: argparse.Namespace) -> dict[str, Any]:
    """Describe a dataset, or list those found."""
    from engine.data.readers import find_datasets, read_dataset

    if arguments.check:
        return check(arguments)
    if arguments.dataset is None:
        datasets = [{"name": name, "path": str(path)} for name, path in find_datasets()]
        for entry in datasets:
            print(f"{entry['name']:32s} {entry['path']}")
        return {"datasets": datasets}
    dataset = read_dataset(source_of(arguments))
    described = {
        "name": dataset.name,
        "source": dataset.source,
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": len(dataset),
        "train": len(dataset.train),
        "valid": len(dataset.valid),
        "test": len(dataset.test),
        "sparsity": dataset.sparsity,
        "features": {m: list(x.shape) for m, x in dataset.features.items()},
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
    }
    for key, value in described.items():
        print(f"{key:13s} {value}")
    return described


def check(arguments: argparse.Namespace) -> dict[str, Any]:
    """Report on a dataset before it is used; raises DataError where it cannot be read."""
    from engine.data.readers.check import check_dataset

    if arguments.dataset is None:
        raise ConfigError("--check needs a dataset: a folder, a table or 'sample'.")
    report = check_dataset(source_of(arguments))
    if not report.is_usable:
        raise DataError(report.problem)
    print(f"{report.source}: format {report.format}")
    for name, count in report.counts.items():
        print(f"{count:12,}  {name}")
    for title, table in (("features", report.features), ("most popular items", report.preview)):
        if len(table):
            print(f"\n{title}\n{table.to_string(index=False)}")
    for title, lines in (("what was read", report.notes), ("warnings", report.warnings)):
        print(f"\n{title}" if lines else "", *lines, sep="\n  ")
    return report.as_dict()


def list_runs(arguments: argparse.Namespace) -> dict[str, Any]:
    """One line a run."""
    table = runs_table(store_of(arguments))
    columns = [
        "id",
        "name",
        "state",
        "dataset",
        "seed",
        "best_epoch",
        "valid.recall@20",
        "test.recall@20",
        "test.ndcg@20",
    ]
    shown = table[[c for c in columns if c in table]]
    print(shown.to_string(index=False) if len(shown) else "no runs yet; `train` makes one")
    return {"runs": records(shown)}


def show_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``show``."""
    parser.add_argument("run", help="a run's id, the beginning of it, its name or its folder")
    add_common(parser)


def show(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything kept about one run."""
    store = store_of(arguments)
    runs_table(store)  # ends it if nothing will train it any more
    run = store.get(arguments.run)
    results = sorted(p.name for p in (run.path / "results").glob("*.npz"))
    shown = {
        "run": run.id,
        "folder": str(run.path),
        "name": run.name,
        "state": run.state,
        "reason": run.status.reason,
        "summary": run.summary,
        "config": run.config,
        "provenance": run.provenance,
        "results": results,
    }
    if not arguments.json:
        print(json.dumps(shown, indent=2, default=str))
    return shown


def compare_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``compare``."""
    parser.add_argument("runs", nargs="*", help="runs to compare; none: all that finished")
    add_comparison_options(parser)
    add_common(parser)


def add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """What a table of strategies is asked for by."""
    parser.add_argument(
        "--metric",
        default="recall@20",
        help="one or several metrics, e.g. recall@20,ndcg@10 (default: recall@20)",
    )
    parser.add_argument("--baseline", help="strategy that differences are taken to (plain)")
    parser.add_argument("--csv", type=Path, help="also write the table")


def compare_and_write(runs: Sequence[Run], arguments: argparse.Namespace) -> pd.DataFrame:
    """Strategies over seeds for each metric asked for, written to --csv where that is given."""
    from engine.evaluation import compare_metrics
    from engine.runs.comparison.outcomes import outcomes_of

    metrics = [name.strip() for name in arguments.metric.split(",") if name.strip()]
    if not metrics:
        raise ConfigError("--metric names no metric; give one or several, e.g. recall@20,ndcg@10.")
    table = compare_metrics({m: outcomes_of(runs, m) for m in metrics}, arguments.baseline)
    if arguments.csv:
        with writing(arguments.csv, ConfigError):
            table.to_csv(arguments.csv, index=False)
    return table


def print_comparison(table: pd.DataFrame) -> None:
    """The table of strategies with what its numbers are."""
    print(
        "test metrics at the epoch validation chose; rows ordered by validation; 95 % intervals, "
        "uncorrected: t over seeds, bootstrap over users; effect_size: Cohen's d over seeds; "
        "p_value: paired t over seeds; p_holm: corrected for all rows"
    )
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}", na_rep=""))


def compare_runs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Strategies over seeds, with intervals and paired differences."""
    store = store_of(arguments)
    if arguments.runs:
        runs = [store.get(run) for run in arguments.runs]
    else:
        table = runs_table(store)
        runs = [store.get(str(run)) for run in table.loc[table["state"] == "finished", "id"][::-1]]
    table = compare_and_write(runs, arguments)
    if not arguments.json:
        print_comparison(table)
    return {"metric": arguments.metric, "table": records(table)}
