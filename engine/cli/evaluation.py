"""The ``evaluate`` command: evaluate trained runs again, by full ranking or against negatives."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.terminal import add_common, records, store_of
from engine.foundation.errors import ConfigError
from engine.runs import Run
from engine.runs.records import writing

if TYPE_CHECKING:
    import pandas as pd

    from engine.data import Dataset


RELEASED = "released"
"""The value of --negatives that takes the negatives of the dataset's own files."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate``."""
    parser.add_argument("runs", nargs="+", help="runs to evaluate at the epoch validation chose")
    parser.add_argument(
        "--split", default="test", choices=["valid", "test"], help="held-out items (default: test)"
    )
    parser.add_argument(
        "--cutoffs",
        default="5,10,20,50",
        help="the k of the metrics, in items (default: %(default)s)",
    )
    parser.add_argument(
        "--negatives",
        type=_number_or_released,
        metavar="N|released",
        help="rank each held-out item against so many unseen ones, drawn at random (999 in AMR; "
        "ties count against it), instead of all items, or against those that an AMR folder was "
        "released with (neg.txt); not comparable with full ranking",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the negatives, for all runs alike"
    )
    parser.add_argument("--csv", type=Path, help="also write one row a run and metric")
    add_common(parser)


def _number_or_released(text: str) -> int | str:
    return text if text == RELEASED else int(text)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Evaluate each run, print one row a run and one column a metric."""
    import pandas as pd

    try:
        cutoffs = tuple(sorted({int(part) for part in arguments.cutoffs.split(",")}))
    except ValueError:
        raise ConfigError(f"--cutoffs is '{arguments.cutoffs}', not numbers like 5,10.") from None
    if arguments.seed < 0:
        raise ConfigError(f"--seed is {arguments.seed}; a whole number from 0 is needed.")
    store = store_of(arguments)
    tables = [evaluate_run(store.get(name), arguments, cutoffs) for name in arguments.runs]
    table = pd.concat(tables, ignore_index=True)
    if arguments.csv:
        with writing(arguments.csv, ConfigError):
            table.to_csv(arguments.csv, index=False)
    if not arguments.json:
        first = table.iloc[0]
        print(f"{first['split']} split, {first['ranking']}; means over {first['over']}")
        wide = table.pivot(index=["run", "name", "seed"], columns="metric", values="value")
        wide = wide[table["metric"].unique()]
        print(wide.to_string(float_format=lambda value: f"{value:.4f}"))
    return {"table": records(table)}


def evaluate_run(run: Run, arguments: argparse.Namespace, cutoffs: tuple[int, ...]) -> pd.DataFrame:
    """One row a metric: run, name, seed, split, ranking, metric, value, n, over (what n counts)."""
    import pandas as pd

    from engine.data.readers import released_negatives
    from engine.evaluation import EvaluationConfig, evaluate, evaluate_released, evaluate_sampled
    from engine.runs.opened import open_run

    opened = open_run(run)
    users, items = opened.factors()
    if arguments.negatives is None:
        evaluation = evaluate(
            users, items, opened.dataset, arguments.split, EvaluationConfig(cutoffs=cutoffs)
        )
        ranking, over = "all items ranked but those of training", "users with held-out items"
    elif arguments.negatives == RELEASED:
        if arguments.split != "test":
            raise ConfigError("released negatives belong to the test split; leave --split out.")
        negatives = released_negatives(opened.dataset)
        evaluation = evaluate_released(users, items, opened.dataset, negatives, cutoffs)
        ranking, over = f"against the {negatives.shape[1]} released negatives", "held-out items"
    else:
        evaluation = evaluate_sampled(
            users, items, opened.dataset, arguments.split, cutoffs, arguments.negatives,
            arguments.seed,
        )  # fmt: skip
        ranking, over = negatives_drawn(opened.dataset, arguments), "held-out items"
    same = {"run": run.id, "name": run.name, "seed": opened.config.seed, "split": arguments.split}
    more = {"ranking": ranking, "n": len(evaluation.users), "over": over}
    return pd.DataFrame(
        [
            {**same, **more, "metric": name, "value": value}
            for name, value in evaluation.means().items()
        ]
    )


def negatives_drawn(dataset: Dataset, arguments: argparse.Namespace) -> str:
    """Against how many negatives held-out items are ranked: users may have fewer unseen items."""
    import numpy as np

    seen = sum(dataset.matrix(split) for split in ("train", "valid", "test")).tocsr()
    users = np.unique(dataset.interactions(arguments.split).users)
    unseen = dataset.n_items - np.diff(seen.indptr)[users]
    drawn = np.minimum(unseen, arguments.negatives)
    if not len(drawn) or drawn.min() == arguments.negatives:
        return f"against {arguments.negatives} sampled negatives"
    return (
        f"against {drawn.min()} to {drawn.max()} sampled negatives, not {arguments.negatives}: "
        f"there are {dataset.n_items} items, and users have no more unseen ones"
    )
