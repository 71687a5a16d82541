"""The analyses as commands: options from their configs, results as tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.terminal import (
    Command,
    Options,
    add_common,
    add_scheduler,
    records,
    store_of,
    with_bar,
)
from engine.jobs.submit import run_and_wait
from engine.jobs.work import find_result, known_analysis


def options_of(kind: str) -> Options:
    """The options of an analysis: its runs and its settings."""

    def add(parser: argparse.ArgumentParser) -> None:
        from engine.cli.options import add_config_options

        analysis = known_analysis(kind)
        many = "runs to compare, on shared ground" if analysis.compares else "the run to look at"
        parser.add_argument("runs", nargs="+" if analysis.compares else 1, help=many)
        parser.add_argument("--csv", type=Path, help="also write the result as a tidy table")
        parser.add_argument("--force", action="store_true", help="compute even if kept already")
        add_scheduler(parser)
        add_common(parser)
        add_config_options(parser, analysis.config_class())

    return add


def command_of(kind: str) -> Command:
    """Read the kept result of an analysis, or compute and keep it; print its table."""

    def run_analysis(arguments: argparse.Namespace) -> dict[str, Any]:
        from engine.cli.options import given_settings

        store = store_of(arguments)
        analysis = known_analysis(kind)
        runs = [store.get(run).id for run in arguments.runs]
        config_class = analysis.config_class()
        config = config_class().changed(given_settings(arguments, config_class))
        result = None if arguments.force else find_result(store, kind, runs, config)
        if result is None:
            params = {"runs": runs, "config": config.model_dump(mode="json")}
            with_bar(kind, lambda bar: run_and_wait(store, kind, params, bar, arguments.scheduler))
            result = find_result(store, kind, runs, config)
        assert result is not None
        table = result.to_frame()
        if arguments.csv:
            table.to_csv(arguments.csv, index=False)
        if not arguments.json:
            print(table.to_string(index=False, max_rows=60))
        return {
            "kind": kind,
            "runs": runs,
            "config": result.config,
            "provenance": result.provenance,
            "table": records(table) if len(table) <= 5000 else f"{len(table)} rows; use --csv",
        }

    return run_analysis
