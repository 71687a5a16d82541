"""The analyses as commands: options from their configs, results as tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from engine.cli.terminal import (
    Command,
    Options,
    add_common,
    add_scheduler,
    records,
    store_of,
    with_bar,
)
from engine.foundation.config import Config
from engine.foundation.errors import ResultError
from engine.foundation.result import Result
from engine.jobs.submit import run_and_wait
from engine.runs import RunStore
from engine.studies.analysis_results import find_result
from engine.studies.analysis_table import known_analysis


def options_of(kind: str) -> Options:
    """The options of an analysis: its runs and its settings."""

    def add(parser: argparse.ArgumentParser) -> None:
        from engine.cli.config_options import add_config_options

        analysis = known_analysis(kind)
        shared = "runs to compare, on shared ground"
        parser.add_argument(
            "runs", nargs="+", help=shared if analysis.compares else "runs to look at, one by one"
        )
        parser.add_argument(
            "--csv", type=Path, help="also write the tidy table; further tables lie beside it"
        )
        parser.add_argument("--force", action="store_true", help="compute even if kept already")
        add_scheduler(parser)
        add_common(parser)
        add_config_options(parser, analysis.config_class())

    return add


def command_of(kind: str) -> Command:
    """Read the kept results of an analysis, or compute and keep them; print their tables."""

    def run_analysis(arguments: argparse.Namespace) -> dict[str, Any]:
        from engine.cli.config_options import chosen_settings

        store = store_of(arguments)
        analysis = known_analysis(kind)
        runs = [store.get(run).id for run in arguments.runs]
        config_class = analysis.config_class()
        config = config_class().changed(chosen_settings(arguments, config_class))
        asked = [runs] if analysis.compares else [[run] for run in dict.fromkeys(runs)]
        results = [result_of(store, kind, names, config, arguments) for names in asked]
        tables = _concat_by_name([result.tables() for result in results])
        if arguments.csv:
            for name, table in tables.items():
                path = arguments.csv
                path = path.with_stem(f"{path.stem}-{name}") if name else path
                table.to_csv(path, index=False)
        if not arguments.json:
            for name, table in tables.items():
                title = f"{name}:\n" if name else ""
                print(f"{title}{table.to_string(index=False, max_rows=20 if name else 60)}\n")
            for result in results:
                print(result.caption)
        return {
            "kind": kind,
            "runs": runs,
            "config": results[0].config,
            "provenance": [result.provenance for result in results],
            "captions": [result.caption for result in results],
            **_plain_values(results),
            **{
                name or "table": records(table)
                if len(table) <= 5000
                else f"{len(table)} rows; use --csv"
                for name, table in tables.items()
            },
        }

    return run_analysis


def result_of(
    store: RunStore, kind: str, runs: list[str], config: Config, arguments: argparse.Namespace
) -> Result:
    """The kept result of an analysis, computed first where there is none or it is forced."""
    try:
        result = None if arguments.force else find_result(store, kind, runs, config)
    except ResultError as error:
        print(f"computed again: {error}", file=sys.stderr)
        result = None
    if result is None:
        params = {"runs": runs, "config": config.model_dump(mode="json")}
        with_bar(kind, lambda bar: run_and_wait(store, kind, params, bar, arguments.scheduler))
        result = find_result(store, kind, runs, config)
    assert result is not None
    return result


def _plain_values(results: list[Result]) -> dict[str, Any]:
    """What a single result adds beside its tables; by run where there are several."""
    if len(results) == 1:
        return results[0].plain()
    plain = {str(result.provenance.get("runs", [""])[0]): result.plain() for result in results}
    return {"by_run": plain} if any(plain.values()) else {}


def _concat_by_name(tables: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Tables of several results by name, one below the other."""
    names = dict.fromkeys(name for each in tables for name in each)
    return {
        name: pd.concat([each[name] for each in tables if name in each], ignore_index=True)
        for name in names
    }
