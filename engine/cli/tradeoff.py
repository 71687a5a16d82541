"""``robustness --tradeoff``: reliance on features against accuracy under the worst attack."""

from __future__ import annotations

import argparse
from typing import Any, cast

from engine.cli.analyses import command_of, options_of, result_of
from engine.cli.terminal import records, store_of
from engine.foundation.errors import ConfigError

KIND = "robustness"
SHARED = ("strengths", "split", "seed")
"""Settings of curves that the standard set of attacks has too."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the curves, and the flag."""
    parser.add_argument(
        "--tradeoff",
        action="store_true",
        help="instead of curves: each run's reliance on features against its accuracy under the "
        f"worst of the standard attacks; takes --{', --'.join(SHARED)} (`attacks` takes the rest)",
    )
    options_of(KIND)(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Curves, or the trade-off. Raises ConfigError for settings that the attacks do not have."""
    if not arguments.tradeoff:
        return command_of(KIND)(arguments)
    from engine.cli.config_options import chosen_settings
    from engine.robustness import CurveConfig
    from engine.robustness.standard import StandardAttackConfig, StandardAttacks, tradeoff_means

    settings = chosen_settings(arguments, CurveConfig)
    others = [name for name in settings if name not in SHARED]
    if others:
        raise ConfigError(
            f"--tradeoff takes no --{others[0].replace('_', '-')}: its attacks are a fixed set; "
            "use the command `attacks` for its own settings."
        )
    store = store_of(arguments)
    runs = [store.get(name).id for name in arguments.runs]
    config = StandardAttackConfig().changed(settings)
    result = cast("StandardAttacks", result_of(store, "attacks", runs, config, arguments))
    strengths = [float(s) for s in result.strengths if s > 0]
    points = {f"{s:g}": result.tradeoff(s) for s in strengths}
    means = {strength: tradeoff_means(table) for strength, table in points.items()}
    verdicts = result.plain()["verdicts"]
    if not arguments.json:
        for strength, table in means.items():
            print(f"strength {strength} ({result.unit}), {result.metric}:")
            columns = [name for name in table if name != "strength"]
            print(f"{table[columns].to_string(index=False)}\n")
            print("\n".join(verdicts[strength]) + "\n")
        print(result.caption)
    if arguments.csv:
        result.tables()["tradeoff"].to_csv(arguments.csv, index=False)
    return {
        "kind": "tradeoff",
        "runs": runs,
        "metric": result.metric,
        "config": result.config,
        "points": {strength: records(table) for strength, table in points.items()},
        "strategies": {strength: records(table) for strength, table in means.items()},
        "verdicts": verdicts,
        "checks": records(result.checks()),
    }
