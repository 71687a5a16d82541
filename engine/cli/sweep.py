"""The ``sweep`` command."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engine.cli.inspect_runs import add_comparison_options, compare_and_write, print_comparison
from engine.cli.reading import add_reading, source_of
from engine.cli.terminal import add_common, add_scheduler, records, store_of, with_bar
from engine.foundation.errors import Cancelled, ConfigError
from engine.foundation.progress import Progress, silent
from engine.runs.records import writing


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``sweep``."""
    parser.add_argument("name", help="the sweep's name; the same name goes on with it")
    parser.add_argument("--dataset", default="sample", help="folder, table or 'sample'")
    add_reading(parser)
    parser.add_argument("--preset", action="append", help="a preset; give several to sweep each")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE",
                        help="a setting that all runs share")  # fmt: skip
    parser.add_argument("--grid", action="append", default=[], metavar="FIELD=A,B,...",
                        help="values of a field; several --grid multiply. Lists within a value "
                        "are joined by +: model.modalities=image,image+text")  # fmt: skip
    parser.add_argument("--random", action="append", default=[],
                        metavar="FIELD=LOW:HIGH[:log][:whole]|A,B,...",
                        help="a field drawn at random for each sample, from a range or from "
                        "values")  # fmt: skip
    parser.add_argument("--samples", type=int, default=1, help="draws of the random fields")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each config")
    parser.add_argument("--retry", action="store_true", help="also train failed runs again")
    parser.add_argument("--here", action="store_true", help="train in this process, no cluster")
    add_scheduler(parser, "the cluster of the runs folder")
    add_comparison_options(parser)
    parser.add_argument("--runs-csv", type=Path,
                        help="also write one row a run: state, epoch, all metrics")  # fmt: skip
    add_common(parser)


def split_setting(text: str) -> tuple[str, str]:
    """``FIELD=VALUE`` in two; raises ConfigError otherwise."""
    field, equals, value = text.partition("=")
    if not equals or not field or not value:
        raise ConfigError(f"'{text}' is not FIELD=VALUE, e.g. stepper.alpha2=0.1,0.2.")
    return field.strip(), value.strip()


def plain_value(text: str) -> Any:
    """A number, true, false, null, or the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def parse_draw(text: str) -> dict[str, Any] | list[Any]:
    """``LOW:HIGH``, with ``:log`` or ``:whole`` behind, or values ``A,B,...`` to draw from.

    Raises ConfigError where it is neither.
    """
    if ":" not in text:
        return [plain_value(part.strip()) for part in text.split(",")]
    low, high, *flags = text.split(":")
    try:
        return {"low": float(low), "high": float(high), **dict.fromkeys(flags, True)}
    except ValueError:
        raise ConfigError(f"'{text}' is not LOW:HIGH, LOW:HIGH:log or A,B,...") from None


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train what is missing, wait, and compare."""
    from engine.jobs.scheduler_address import chosen_scheduler
    from engine.studies.sweeps import Sweep
    from engine.training.sweep_plan import SweepConfig

    config = SweepConfig.parse(
        {
            "presets": arguments.preset or ["plain"],
            "settings": {f: plain_value(v) for f, v in map(split_setting, arguments.set)},
            "grid": {
                f: [plain_value(p) for p in v.split(",")]
                for f, v in map(split_setting, arguments.grid)
            },
            "random": {f: parse_draw(v) for f, v in map(split_setting, arguments.random)},
            "n_samples": arguments.samples,
            "n_seeds": arguments.seeds,
        }
    )
    if arguments.here and arguments.scheduler:
        raise ConfigError("--here and --scheduler say different things; give one of them.")
    chosen_scheduler(arguments.scheduler)  # refused before a run is made for it
    sweep = Sweep.start(store_of(arguments), arguments.name, source_of(arguments), config)

    def work(progress: Progress) -> dict[str, Any]:
        started = sweep.run_missing(
            arguments.retry,
            arguments.here,
            progress if arguments.here else silent,
            arguments.scheduler,
        )
        sweep.wait(progress)
        return {"started": started}

    try:
        started = with_bar(sweep.name, work)["started"]
    except KeyboardInterrupt:
        if arguments.here:
            raise
        raise Cancelled(
            f"No longer waiting; what was queued goes on. `python -m engine sweep {sweep.name} "
            "...` waits for it again, `python -m engine jobs --cancel` stops it."
        ) from None
    table = sweep.table()
    if arguments.runs_csv:
        with writing(arguments.runs_csv, ConfigError):
            table.to_csv(arguments.runs_csv, index=False)
    states = table["state"].value_counts().to_dict()
    counts = ", ".join(f"{n} {state}" for state, n in states.items())
    stream = sys.stderr if arguments.json else sys.stdout
    print(f"{sweep.name}: {started} started now; {counts}", file=stream)
    for row in table[table["state"] == "failed"].itertuples():
        print(f"failed: {row.strategy}, seed {row.seed}: {row.reason}", file=stream)
    comparison = compare_and_write(
        [r for r in sweep.runs().values() if r.summary.get("test")], arguments
    )
    if not arguments.json:
        print_comparison(comparison)
    return {
        "sweep": sweep.name,
        "started": started,
        "states": states,
        "table": records(comparison),
    }
