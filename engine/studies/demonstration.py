"""The demonstration: four presets side by side, then every analysis, as one group of jobs."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.foundation.errors import JobError
from engine.foundation.files import read_json, write_json
from engine.jobs.cluster_address import JOBS_NAME
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import writing
from engine.studies.analysis_table import ANALYSES, create_run

DEMONSTRATION_PRESETS = ("plain", "mg", "amr", "mg+amr")

GROUPS = ".groups"


@dataclass(frozen=True)
class GroupStatus:
    """How a group of jobs stands."""

    share: float
    message: str
    is_over: bool
    runs: tuple[str, ...]
    problems: tuple[str, ...]
    """One line for each job that did not finish."""


def demonstration_overrides(dataset_pairs: int) -> dict[str, Any]:
    """Settings that keep the demonstration short without changing what is compared."""
    return {
        "epochs": 40,
        "batch_size": 1024 if dataset_pairs < 30_000 else 2048,
        "optimiser.learning_rate": 2e-3,
        "patience": 8,
        "checkpoint_every": 100,
        "device": "cpu",
    }


def start_demonstration(store: RunStore, dataset: str, seed: int = 0) -> str:
    """Submit the four presets on a dataset, then every analysis; returns the group's id."""
    from engine.jobs.submit import submit_all
    from engine.runs.opened import cached_dataset
    from engine.training import preset

    runs: list[str] = []
    for name in DEMONSTRATION_PRESETS:
        config = preset(name, {"seed": seed})
        pairs = len(cached_dataset(dataset).train)
        config = config.changed(demonstration_overrides(pairs))
        if config.objective.adversary is not None:
            config = config.changed({"objective.adversary.warm_start_epochs": 10})
        run = create_run(store, dataset, config, name=name, label=f"demo-{name}")
        run.label(tags=["demonstration"])
        runs.append(run.id)
    group = runs[0]
    folder = store.root / JOBS_NAME / GROUPS
    with writing(folder, JobError):
        write_json(folder / f"{group}.json", {"runs": runs, "by": Owner.here().as_record()})
    asked = [({"run": run_id, "group": group}, [run_id]) for run_id in runs]
    jobs = [job.id for job in submit_all(store, "train", asked)]
    with writing(folder, JobError):
        write_json(folder / f"{group}.trainings.json", jobs)
    return group


def follow_up(store: RunStore, group: str) -> None:
    """Submit the group's analyses, once, when none of its runs is still to be trained.

    Where the process that does so dies before all are submitted, the next to look does it again.
    """
    from engine.jobs.submit import submit

    folder = store.root / JOBS_NAME / GROUPS
    listed = folder / f"{group}.analyses.json"
    names = read_json(folder / f"{group}.json")["runs"]
    found = [store.get(run) for run in names if (store.root / run / "config.json").is_file()]
    if any(run.state in ("queued", "running") for run in found):
        return
    with writing(folder, JobError), open(folder / f"{group}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if listed.exists():
            return
        jobs = [
            submit(store, task, {"runs": runs, "config": config}, runs).id
            for task, runs, config in demonstration_analyses([r.id for r in found if r.has_weights])
        ]
        write_json(listed, jobs)


def demonstration_analyses(runs: Sequence[str]) -> list[tuple[str, list[str], dict[str, Any]]]:
    """What the demonstration computes once its runs are trained: (task, runs, config)."""
    if not runs:
        return []
    planned: list[tuple[str, list[str], dict[str, Any]]] = []
    for kind, analysis in ANALYSES.items():
        if not analysis.is_demonstrated:
            continue
        if analysis.compares:
            planned.append((kind, list(runs), {}))
        else:
            planned.extend((kind, [run], {}) for run in runs)
    return planned


def group_status(store: RunStore, group: str) -> GroupStatus:
    """How a group stands; starts its analyses if the process that should have done so is gone."""
    from engine.jobs.submit import find_job

    folder = store.root / JOBS_NAME / GROUPS
    path = folder / f"{group}.json"
    if not path.is_file():
        raise JobError(f"There is no group '{group}' in {store.root}.")
    record = read_json(path)
    runs = tuple(record["runs"])
    shares: list[float] = []
    problems: list[str] = []
    messages: list[str] = []
    lists = {}
    for stage in ("trainings", "analyses"):
        listed = folder / f"{group}.{stage}.json"
        lists[stage] = read_json(listed) if listed.exists() else None
    starter = Owner.from_record(record.get("by"))
    if lists["trainings"] is None and starter and starter.is_on_this_machine and not starter.exists:
        problem = f"It was not started in full: its {starter} is gone."
        return GroupStatus(1.0, "", True, runs, (problem,))
    over = True
    for stage, weight in (("trainings", 0.7), ("analyses", 0.3)):
        names = lists[stage]
        if names is None:
            over = False
            shares.append(0.0)
            continue
        statuses = [find_job(store, name).status() for name in names]
        done = [1.0 if s.is_over else s.share for s in statuses]
        shares.append(weight * (sum(done) / len(done) if done else 1.0))
        over = over and all(s.is_over for s in statuses)
        for name, status in zip(names, statuses, strict=True):
            if status.state == "running":
                messages.append(f"{find_job(store, name).task}: {status.message}")
            if status.is_over and status.state != "finished":
                problems.append(f"{find_job(store, name).task} {status.state}: {status.reason}")
        if stage == "trainings" and over and lists["analyses"] is None:
            follow_up(store, group)
    return GroupStatus(sum(shares), "; ".join(messages), over, runs, tuple(problems))


def newest_group(store: RunStore) -> str | None:
    """The id of the demonstration started last in this runs folder, or None."""
    folder = store.root / ".jobs" / GROUPS
    names = [p.stem for p in folder.glob("*.json") if "." not in p.stem]
    return max(names, default=None)
