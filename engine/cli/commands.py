"""The subcommands of ``python -m engine``, their options and what they print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from engine.foundation.errors import BasinError, Cancelled, RunError
from engine.foundation.progress import Progress
from engine.jobs.work import ANALYSES, create_run, find_result, known_analysis, run_and_wait
from engine.runs import RunStore

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = """Train multimodal recommenders with and without robust training, and look at the
minima they found. `python -m engine COMMAND --help` tells what each command needs."""

Command = Callable[[argparse.Namespace], dict[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 a clear error, 130 interrupted."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser, commands = _parser(given)
    arguments = parser.parse_args(given)
    try:
        result = commands[arguments.command](arguments)
    except Cancelled as stop:
        print(stop, file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("Interrupted; the run can be resumed with `train --resume RUN`.", file=sys.stderr)
        return 130
    except BasinError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    if getattr(arguments, "json", False):
        print(json.dumps(result, default=str))
    return 0


def _parser(given: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, Command]]:
    """The whole parser; only the chosen command's settings are built, so that --help is quick."""
    parser = argparse.ArgumentParser(
        prog="python -m engine", description=DESCRIPTION, allow_abbrev=False
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in given if not word.startswith("-")), "")
    commands: dict[str, Command] = {}
    for name, (summary, add_options, command) in COMMANDS.items():
        sub = subparsers.add_parser(
            name,
            help=summary,
            description=summary,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter
            if name in ("cluster", "worker")
            else argparse.HelpFormatter,
        )
        if name == chosen:
            add_options(sub)
        commands[name] = command
    return parser, commands


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-folder", help="where runs are kept (default: BASIN_RUNS or ./runs)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )


def _store(arguments: argparse.Namespace) -> RunStore:
    return RunStore(arguments.runs_folder)


class Bar:
    """A progress bar on standard error; as a Progress it never cancels."""

    def __init__(self, title: str) -> None:
        self.bar = tqdm(
            total=1.0,
            desc=title,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}",
        )

    def __call__(self, share: float, message: str = "") -> None:
        if message:
            self.bar.set_postfix_str(message, refresh=False)
        self.bar.update(max(share - self.bar.n, 0.0))

    def close(self) -> None:
        self.bar.close()


def _with_bar(title: str, work: Callable[[Progress], dict[str, Any]]) -> dict[str, Any]:
    bar = Bar(title)
    try:
        return work(bar)
    finally:
        bar.close()


# data


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", nargs="?", help="folder, table, 'sample' or 'synthetic:...'; none lists all"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of a split that draws")
    _common(parser)


def _data(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.data.readers import find_datasets, read_dataset

    if arguments.dataset is None:
        found = [{"name": name, "path": str(path)} for name, path in find_datasets()]
        for entry in found:
            print(f"{entry['name']:32s} {entry['path']}")
        return {"datasets": found}
    dataset = read_dataset(arguments.dataset, seed=arguments.seed)
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


# train


def _train_options(parser: argparse.ArgumentParser) -> None:
    from engine.cli.options import add_config_options
    from engine.training import PRESETS, TrainConfig

    lines = "; ".join(f"{name}: {help_}" for name, (help_, _) in PRESETS.items())
    parser.add_argument("--dataset", default="sample", help="folder, table or 'sample' (default)")
    parser.add_argument(
        "--preset", default="plain", choices=list(PRESETS), help=lines.replace("%", "%%")
    )
    parser.add_argument("--seeds", type=int, default=1, help="train so many seeds, from --seed on")
    parser.add_argument(
        "--one-by-one",
        action="store_true",
        help="train the seeds one after the other, not in one pass; slower, and bit for bit what "
        "each gives alone",
    )
    parser.add_argument("--name", default="", help="a name for the run (default: the preset)")
    parser.add_argument(
        "--match",
        metavar="RUN",
        help="train for exactly as many gradient passes as that run took: the compute-matched "
        "baseline",
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted")
    _common(parser)
    add_config_options(parser, TrainConfig)


def _train(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.cli.options import given_settings
    from engine.foundation.errors import ConfigError
    from engine.training import TrainConfig, preset

    store = _store(arguments)
    if arguments.resume:
        runs = [store.get(arguments.resume)]
    else:
        if arguments.seeds < 1:
            raise ConfigError(f"--seeds is {arguments.seeds}; at least 1 is needed.")
        settings = given_settings(arguments, TrainConfig)
        if arguments.match:
            settings["match_gradient_passes"] = passes_of(store, arguments.match)
        config = preset(arguments.preset, settings)
        runs = []
        for seed in range(config.seed, config.seed + arguments.seeds):
            runs.append(
                create_run(
                    store,
                    arguments.dataset,
                    config.changed({"seed": seed}),
                    name=arguments.name or arguments.preset,
                    label=arguments.name or arguments.preset,
                    command=["python", "-m", "engine", *sys.argv[1:]],
                )
            )
    ids = [run.id for run in runs]
    passes = [[run] for run in ids] if arguments.one_by_one else [ids]
    results = []
    for each in passes:
        params = {"run": each[0]} if len(each) == 1 else {"runs": each}
        title = each[0] if len(each) == 1 else f"{len(each)} seeds"
        found = _with_bar(title, lambda bar, p=params: run_and_wait(store, "train", p, bar))  # type: ignore[misc]
        results += found.get("runs", [found])
    for result in results:
        print(
            f"{result['run']}: {result['state']}, best epoch {result['best_epoch']} chosen by "
            f"{result['selected_by']}; valid recall@20 {result['valid']['recall@20']:.4f}, test "
            f"recall@20 {result['test'].get('recall@20', float('nan')):.4f}, "
            f"{result['seconds']:.1f} s"
        )
    return results[0] if len(results) == 1 else {"runs": results}


def _sweep_options(parser: argparse.ArgumentParser) -> None:
    from engine.cli.sweep import add_options

    add_options(parser)
    _common(parser)


def _sweep(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.cli.sweep import run

    return run(arguments, _store(arguments), _with_bar)


def _flatness_options(parser: argparse.ArgumentParser) -> None:
    from engine.cli.flatness import add_options

    add_options(parser)
    _common(parser)


def _flatness(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.cli.flatness import run

    return run(arguments, _store(arguments))


def passes_of(store: RunStore, run: str) -> int:
    """The gradient passes a finished run took; raises RunError where it has not finished."""
    passes = store.get(run).summary.get("gradient_passes")
    if not passes:
        raise RunError(f"run {run} has not finished, so its gradient passes are not known yet.")
    return int(passes)


# list, show


def _list_options(parser: argparse.ArgumentParser) -> None:
    _common(parser)


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    table = _store(arguments).list()
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
    return {"runs": _records(shown)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run's id, the beginning of it, its name or its folder")
    _common(parser)


def _show(arguments: argparse.Namespace) -> dict[str, Any]:
    run = _store(arguments).get(arguments.run)
    kept = sorted(p.name for p in (run.path / "results").glob("*.npz"))
    shown = {
        "run": run.id,
        "folder": str(run.path),
        "name": run.name,
        "state": run.state,
        "reason": run.status.reason,
        "summary": run.summary,
        "config": run.config,
        "provenance": run.provenance,
        "results": kept,
    }
    if not arguments.json:
        print(json.dumps(shown, indent=2, default=str))
    return shown


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", help="runs to compare; none: all that finished")
    parser.add_argument("--metric", default="recall@20", help="e.g. ndcg@10 (default: recall@20)")
    parser.add_argument("--baseline", help="strategy that differences are taken to (plain)")
    parser.add_argument("--csv", type=Path, help="also write the table")
    _common(parser)


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.evaluation import compare
    from engine.runs.outcomes import outcomes_of

    store = _store(arguments)
    if arguments.runs:
        runs = [store.get(run) for run in arguments.runs]
    else:
        table = store.list()
        runs = [store.get(str(run)) for run in table.loc[table["state"] == "finished", "id"][::-1]]
    found = compare(outcomes_of(runs, arguments.metric), arguments.metric, arguments.baseline)
    if arguments.csv:
        found.to_csv(arguments.csv, index=False)
    if not arguments.json:
        print(f"test {arguments.metric} at the epoch validation chose, 95 % intervals over seeds")
        print(found.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    return {"metric": arguments.metric, "table": _records(found)}


# analyses


def _analysis_options(kind: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        from engine.cli.options import add_config_options

        analysis = known_analysis(kind)
        many = "runs to compare, on shared ground" if analysis.compares else "the run to look at"
        parser.add_argument("runs", nargs="+" if analysis.compares else 1, help=many)
        parser.add_argument("--csv", type=Path, help="also write the result as a tidy table")
        parser.add_argument("--force", action="store_true", help="compute even if kept already")
        _common(parser)
        add_config_options(parser, analysis.config_class())

    return add


def _analysis(kind: str) -> Command:
    def run_analysis(arguments: argparse.Namespace) -> dict[str, Any]:
        from engine.cli.options import given_settings

        store = _store(arguments)
        analysis = known_analysis(kind)
        runs = [store.get(run).id for run in arguments.runs]
        config_class = analysis.config_class()
        config = config_class().changed(given_settings(arguments, config_class))
        result = None if arguments.force else find_result(store, kind, runs, config)
        if result is None:
            params = {"runs": runs, "config": config.model_dump(mode="json")}
            _with_bar(kind, lambda bar: run_and_wait(store, kind, params, bar))
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
            "table": _records(table) if len(table) <= 5000 else f"{len(table)} rows; use --csv",
        }

    return run_analysis


# keeping house


def _bin_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", help="runs to move to the bin")
    parser.add_argument("--restore", action="store_true", help="bring them back instead")
    _common(parser)


def _bin(arguments: argparse.Namespace) -> dict[str, Any]:
    store = _store(arguments)
    for run in arguments.runs:
        if arguments.restore:
            store.restore(run)
        else:
            store.delete(run)
        print(f"{run}: {'restored' if arguments.restore else 'moved to the bin'}")
    return {"runs": arguments.runs}


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("zip", type=Path, help="the zip file to write")
    parser.add_argument("runs", nargs="+", help="runs to put in")
    _common(parser)


def _export(arguments: argparse.Namespace) -> dict[str, Any]:
    path = _store(arguments).export_zip(arguments.runs, arguments.zip)
    print(path)
    return {"zip": str(path)}


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("zip", type=Path, help="a zip that export wrote")
    _common(parser)


def _import(arguments: argparse.Namespace) -> dict[str, Any]:
    runs = [run.id for run in _store(arguments).import_zip(arguments.zip)]
    print("\n".join(runs))
    return {"runs": runs}


def _forwarded(name: str) -> tuple[Callable[[argparse.ArgumentParser], None], Command]:
    """A command whose options belong to engine.jobs."""

    def options(parser: argparse.ArgumentParser) -> None:
        from engine.jobs.__main__ import add_options

        add_options(name, parser)

    def command(arguments: argparse.Namespace) -> dict[str, Any]:
        from engine.jobs.__main__ import serve

        serve(name, arguments)
        return {}

    return options, command


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Command]] = {
    "data": ("describe a dataset, or list those found", _data_options, _data),
    "train": ("train a run, or several seeds of it", _train_options, _train),
    "list": ("list the runs", _list_options, _list),
    "compare": (
        "strategies over seeds: means, intervals, paired differences to a baseline",
        _compare_options,
        _compare,
    ),
    "sweep": (
        "train many configs, by grid or at random, each over several seeds",
        _sweep_options,
        _sweep,
    ),
    "show": ("everything kept about one run", _show_options, _show),
    **{
        kind: (analysis.help, _analysis_options(kind), _analysis(kind))
        for kind, analysis in ANALYSES.items()
    },
    "flatness": (
        "does flatness predict robustness, over the runs that keep both analyses",
        _flatness_options,
        _flatness,
    ),
    "bin": ("move runs to the bin, or back", _bin_options, _bin),
    "export": ("write runs as one zip", _export_options, _export),
    "import": ("add the runs of a zip", _import_options, _import),
    "cluster": ("be the embedded cluster of a runs folder", *_forwarded("cluster")),
    "worker": ("be workers for a scheduler elsewhere", *_forwarded("worker")),
}
"""Each command's one-line help, its options and what it does."""
