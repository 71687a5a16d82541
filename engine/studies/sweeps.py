"""Sweeps over a runs folder: hundreds of runs, each trained once, resumed and retried at will.

A sweep is ``<root>/.sweeps/<name>.json``: what was asked, and the run of each planned config. It
holds no results; they are read from the runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from engine.foundation.errors import Cancelled, JobError
from engine.foundation.files import read_json, write_json
from engine.foundation.progress import Progress, part, silent
from engine.jobs.run_list import end_orphaned_runs
from engine.jobs.submit import active_jobs, run_here, submit_all
from engine.runs import Run, RunStore
from engine.runs.records import writing
from engine.studies.new_run import create_run

if TYPE_CHECKING:
    from engine.training import TrainConfig
    from engine.training.sweep_plan import SweepConfig

FOLDER = ".sweeps"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")


class Sweep:
    """One sweep of a runs folder."""

    def __init__(self, store: RunStore, name: str) -> None:
        if not NAME.fullmatch(name):
            raise JobError(
                f"'{name}' cannot name a sweep; letters, digits, '.', '_' and '-' are allowed."
            )
        self.store = store
        self.name = name
        self.path = store.root / FOLDER / f"{name}.json"

    @classmethod
    def start(cls, store: RunStore, name: str, dataset: str, config: SweepConfig) -> Sweep:
        """The sweep of that name; made if it is not there, gone on with if it asks for the same.

        Raises JobError where a sweep of that name asks for something else, ConfigError where a
        setting is unknown.
        """
        from engine.training.sweep_plan import plan_runs

        sweep = cls(store, name)
        asked = {"dataset": dataset, "sweep": config.model_dump(mode="json")}
        plan_runs(config)
        if sweep.path.exists():
            record = sweep.record
            if {key: record[key] for key in asked} != asked:
                raise JobError(
                    f"a sweep '{name}' with other settings is in {store.root}; choose another name."
                )
        else:
            store.root_made()
            write_json(sweep.path, {"schema_version": 1, **asked, "runs": {}})
        return sweep

    @property
    def record(self) -> dict[str, Any]:
        """What is kept: dataset, sweep, and run ids by key."""
        if not self.path.exists():
            there = sorted(p.stem for p in self.path.parent.glob("*.json"))
            raise JobError(
                f"there is no sweep '{self.name}'; there are {', '.join(there) or 'none'}."
            )
        return dict(read_json(self.path))

    def plan(self) -> list[tuple[str, TrainConfig]]:
        """Every run's name and config."""
        from engine.training.sweep_plan import SweepConfig, plan_runs

        return plan_runs(SweepConfig.parse(self.record["sweep"]))

    def runs(self) -> dict[str, Run]:
        """The runs made so far, by key; runs that were deleted are left out."""
        runs = {}
        for key, run_id in self.record["runs"].items():
            path = self.store.root / run_id
            if (path / "config.json").is_file():
                runs[key] = Run(path)
        return runs

    def run_missing(
        self,
        retry: bool = False,
        here: bool = False,
        progress: Progress = silent,
        scheduler: str | None = None,
    ) -> int:
        """See that every planned run is trained; returns how many were started.

        A finished or diverged run is never repeated, an interrupted one resumes from its
        checkpoint, a failed one is left alone unless ``retry``. Submits one job a run to the
        cluster (``scheduler`` as ``submit`` takes it), or trains one run after the other in this
        process where ``here``.
        """
        with self._lock():  # one process at a time decides what is missing
            wanted = self._runs_to_train(retry)
            if not here:
                requests = [({"run": run}, [run]) for run in wanted]
                submit_all(self.store, "train", requests, scheduler=scheduler)
                return len(wanted)
        for done, run in enumerate(wanted):  # a failed one says why itself; the others go on
            if self.store.get(run).state in ("finished", "diverged", "running"):
                continue  # by another process that works on this sweep
            inner = part(progress, done / len(wanted), (done + 1) / len(wanted), "sweep: ")
            job = run_here(self.store, "train", {"run": run}, inner, [run])
            if (status := job.status()).state == "cancelled":
                raise Cancelled(status.reason)
        progress(1.0, f"{len(wanted)} started")
        return len(wanted)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Wait until no other process starts runs of this sweep, and keep others out."""
        path = self.path.with_suffix(".lock")
        with writing(path, JobError), open(path, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _runs_to_train(self, retry: bool) -> list[str]:
        """Ids of the runs to train; those that were missing are made."""
        existing = self.runs()
        active = {run for job in active_jobs(self.store) for run in job.status().run_ids}
        wanted = []
        for label, config in self.plan():
            run = existing.get(key_of(config))
            if run is None:
                run = create_run(
                    self.store, self.record["dataset"], config, name=label, label=self.name
                )
                run.label(tags=[f"sweep:{self.name}"])
                self._remember(key_of(config), run.id)
            elif not self._should_train(run, retry, active):
                continue
            wanted.append(run.id)
        return wanted

    @staticmethod
    def _should_train(run: Run, retry: bool, active: set[str]) -> bool:
        state = run.state
        if run.id in active or state in ("finished", "diverged", "running"):
            return False
        return retry or state != "failed"

    def _remember(self, key: str, run_id: str) -> None:
        record = self.record
        record["runs"][key] = run_id
        write_json(self.path, record)

    def table(self) -> pd.DataFrame:
        """One row a planned run: strategy, seed, run, state, reason, best_epoch, valid.*, test.*"""
        existing = self.runs()
        if any(run.state == "queued" for run in existing.values()):
            active_jobs(self.store)
            end_orphaned_runs(self.store)
        rows = []
        for label, config in self.plan():
            run = existing.get(key_of(config))
            row: dict[str, Any] = {"strategy": label, "seed": config.seed}
            if run is None:
                rows.append(row | {"run": "", "state": "planned", "reason": ""})
                continue
            status, summary = run.status, run.summary
            row |= {"run": run.id, "state": status.state, "reason": status.reason}
            row["best_epoch"] = summary.get("best_epoch")
            for split in ("valid", "test"):
                row |= {f"{split}.{k}": v for k, v in summary.get(split, {}).items()}
            rows.append(row)
        return pd.DataFrame(rows)

    def compare(self, metric: str, baseline: str | None = None) -> pd.DataFrame:
        """Compare the finished runs, best on validation first; see engine.evaluation.compare."""
        from engine.evaluation import compare
        from engine.runs.comparison.outcomes import outcomes_of

        done = [run for run in self.runs().values() if run.summary.get("test")]
        return compare(outcomes_of(done, metric), metric, baseline)

    def wait(self, progress: Progress = silent, poll: float = 0.5) -> None:
        """Until no run of the sweep is queued or running."""
        while True:
            if not active_jobs(self.store):  # which ends runs whose job was lost with its cluster
                end_orphaned_runs(self.store)
            states = [run.state for run in self.runs().values()]
            over = sum(state not in ("queued", "running") for state in states)
            progress(over / max(len(states), 1), f"{over} of {len(states)} runs over")
            if over == len(states):
                return
            time.sleep(poll)


def key_of(config: TrainConfig) -> str:
    """What tells a planned run from the others of its sweep."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sweep_names(store: RunStore) -> list[str]:
    """The sweeps of a runs folder, newest first."""
    paths = (store.root / FOLDER).glob("*.json")
    return [p.stem for p in sorted(paths, key=lambda p: os.stat(p).st_mtime_ns, reverse=True)]


def sweep_of(store: RunStore, name: str) -> Sweep:
    """The sweep of that name; raises JobError naming what there is."""
    sweep = Sweep(store, name)
    if not Path(sweep.path).exists():
        raise JobError(f"there is no sweep '{name}'; there are {', '.join(sweep_names(store))}.")
    return sweep
