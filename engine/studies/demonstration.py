"""The demonstration: four presets over five seeds, then every analysis, as one group of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.foundation.strategy_rule import without_seed
from engine.jobs.groups import Group, newest_group
from engine.jobs.submit import find_job, submit, submit_all
from engine.runs import Run, RunStore
from engine.studies.analysis_table import ANALYSES
from engine.studies.new_run import create_run

__all__ = [
    "DEMONSTRATION_PRESETS",
    "DEMONSTRATION_SEEDS",
    "GroupStatus",
    "demonstration_analyses",
    "demonstration_overrides",
    "group_status",
    "newest_group",
    "start_demonstration",
    "submit_analyses",
]

DEMONSTRATION_PRESETS = ("plain", "mg", "amr", "mg+amr")
DEMONSTRATION_SEEDS = 5


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


def start_demonstration(
    store: RunStore, dataset: str, seed: int = 0, n_seeds: int = DEMONSTRATION_SEEDS
) -> str:
    """Submit the four presets over several seeds, then every analysis; returns the group's id.

    The runs of the first seed come first, one of each preset.
    """
    from engine.runs.opened import cached_dataset
    from engine.training import preset

    overrides = demonstration_overrides(len(cached_dataset(dataset).train))
    runs: list[str] = []
    for each in range(seed, seed + n_seeds):
        for name in DEMONSTRATION_PRESETS:
            config = preset(name, {"seed": each}).changed(overrides)
            if config.objective.adversary is not None:
                config = config.changed({"objective.adversary.warm_start_epochs": 10})
            run = create_run(store, dataset, config, f"{name}, seed {each}", f"demo-{name}")
            run.label(tags=["demonstration"])
            runs.append(run.id)
    group = Group.create(store, runs[0], runs)
    requests = [({"run": run_id, "group": group.id}, [run_id]) for run_id in runs]
    group.save_jobs("trainings", [job.id for job in submit_all(store, "train", requests)])
    return group.id


def submit_analyses(store: RunStore, group_id: str) -> None:
    """Submit the group's analyses, once, when none of its runs is still to be trained.

    Where the process that does so dies before all are submitted, the next to call does it again.
    """
    group = Group(store, group_id)
    ids = group.record["runs"]
    runs = [store.get(run) for run in ids if (store.root / run / "config.json").is_file()]
    if any(run.state in ("queued", "running") for run in runs):
        return
    with group.lock() as is_ours:
        if not is_ours or group.jobs("analyses") is not None:
            return
        planned = demonstration_analyses([run for run in runs if run.has_weights])
        jobs = [
            submit(store, task, {"runs": names, "config": config}, names).id
            for task, names, config in planned
        ]
        group.save_jobs("analyses", jobs)


def demonstration_analyses(runs: Sequence[Run]) -> list[tuple[str, list[str], dict[str, Any]]]:
    """What the demonstration computes once its runs are trained: (task, runs, config).

    The longest comes first, so that no worker is left with it at the end.
    """
    if not runs:
        return []
    of_strategy: dict[str, str] = {}
    for run in runs:
        of_strategy.setdefault(without_seed(run.name), run.id)
    which = {"all runs": [run.id for run in runs], "one seed": list(of_strategy.values()), "no": []}
    compared: list[tuple[str, list[str], dict[str, Any]]] = [
        (kind, which[analysis.demonstrated], {})
        for kind, analysis in ANALYSES.items()
        if analysis.compares and analysis.demonstrated != "no"
    ]
    single: list[tuple[str, list[str], dict[str, Any]]] = [
        (kind, [run], {})
        for kind, analysis in ANALYSES.items()
        if not analysis.compares
        for run in which[analysis.demonstrated]
    ]
    return sorted(compared, key=lambda work: -len(work[1])) + single


def group_status(store: RunStore, group_id: str) -> GroupStatus:
    """How a group stands; submits its analyses where the process that should have done so is gone.

    Raises JobError where there is no such group.
    """
    group = Group(store, group_id)
    runs = tuple(group.record["runs"])
    if group.jobs("trainings") is None and group.starter_is_gone:
        problem = "It was not started in full: the process that started it is gone."
        return GroupStatus(1.0, "", True, runs, (problem,))
    trainings = _stage(store, group.jobs("trainings"))
    if trainings.is_over and group.jobs("analyses") is None:
        submit_analyses(store, group_id)
    analyses = _stage(store, group.jobs("analyses"))
    return GroupStatus(
        share=0.7 * trainings.share + 0.3 * analyses.share,
        message="; ".join(m for m in (trainings.message, analyses.message) if m),
        is_over=trainings.is_over and analyses.is_over,
        runs=runs,
        problems=trainings.problems + analyses.problems,
    )


def _stage(store: RunStore, names: Sequence[str] | None) -> GroupStatus:
    """How the jobs of one stage stand; None means that they are not submitted yet."""
    if names is None:
        return GroupStatus(0.0, "", False, (), ())
    jobs = [find_job(store, name) for name in names]
    statuses = [(job.task, job.status()) for job in jobs]
    shares = [1.0 if status.is_over else status.share for _, status in statuses]
    return GroupStatus(
        share=sum(shares) / len(shares) if shares else 1.0,
        message="; ".join(f"{t}: {s.message}" for t, s in statuses if s.state == "running"),
        is_over=all(status.is_over for _, status in statuses),
        runs=(),
        problems=tuple(
            f"{task} {status.state}: {status.reason}"
            for task, status in statuses
            if status.is_over and status.state != "finished"
        ),
    )
