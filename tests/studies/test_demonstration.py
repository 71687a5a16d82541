"""The demonstration ends, whatever happens to the processes that carry it on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.foundation.errors import JobError
from engine.jobs.groups import GROUPS_NAME
from engine.jobs.submit import create_job
from engine.runs import Run, RunStore
from engine.studies import demonstration
from engine.studies.demonstration import (
    group_status,
    newest_group,
    start_demonstration,
    submit_analyses,
)

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A folder whose jobs are written and handed to nobody."""

    def submit_all(store: RunStore, task: str, asked: list) -> list:
        return [create_job(store, task, params, runs, gpu=False) for params, runs in asked]

    def submit(store: RunStore, task: str, params: dict, runs: list) -> object:
        return create_job(store, task, params, runs, gpu=False)

    monkeypatch.setattr(demonstration, "submit_all", submit_all)
    monkeypatch.setattr(demonstration, "submit", submit)
    return RunStore(tmp_path / "runs")


def runs_of(store: RunStore, group: str) -> list[Run]:
    return [store.get(run) for run in group_status(store, group).runs]


def analyses(store: RunStore, group: str) -> list[str]:
    return json.loads((store.root / ".jobs" / GROUPS_NAME / f"{group}.analyses.json").read_text())


def trained(store: RunStore, group: str) -> None:
    for run in runs_of(store, group):
        (run.path / "weights.safetensors").touch()
        run.end("finished")


def test_its_analyses_are_asked_for_once_all_are_trained(store: RunStore) -> None:
    group = start_demonstration(store, DATA)
    assert newest_group(store) == group
    names = [run.name for run in runs_of(store, group)]
    assert names[:4] == ["plain, seed 0", "mg, seed 0", "amr, seed 0", "mg+amr, seed 0"]
    assert names[-1] == "mg+amr, seed 4"
    submit_analyses(store, group)
    assert not (store.root / ".jobs" / GROUPS_NAME / f"{group}.analyses.json").exists()
    trained(store, group)
    for _ in range(2):
        submit_analyses(store, group)
    assert len(analyses(store, group)) == len(set(analyses(store, group))) == 24
    assert not group_status(store, group).is_over


def test_analyses_that_were_asked_for_in_part_are_asked_for_again(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = start_demonstration(store, DATA)
    trained(store, group)
    working = demonstration.submit

    def killed(store: RunStore, task: str, *rest: object) -> object:
        if task == "robustness":
            raise KeyboardInterrupt
        return working(store, task, *rest)

    monkeypatch.setattr(demonstration, "submit", killed)
    with pytest.raises(KeyboardInterrupt):
        submit_analyses(store, group)
    monkeypatch.setattr(demonstration, "submit", working)
    submit_analyses(store, group)
    assert len(analyses(store, group)) == 24


def test_a_run_deleted_meanwhile_is_left_out(store: RunStore) -> None:
    group = start_demonstration(store, DATA)
    trained(store, group)
    store.delete(runs_of(store, group)[1].id)
    submit_analyses(store, group)
    assert len(analyses(store, group)) == 23


def test_one_whose_process_died_before_all_was_asked_for_is_over_and_says_so(
    store: RunStore,
) -> None:
    group = start_demonstration(store, DATA)
    folder = store.root / ".jobs" / GROUPS_NAME
    (folder / f"{group}.trainings.json").unlink()
    assert not group_status(store, group).is_over
    record = json.loads((folder / f"{group}.json").read_text())
    record["by"]["started"] = "1"
    (folder / f"{group}.json").write_text(json.dumps(record))
    status = group_status(store, group)
    assert status.is_over
    assert "not started in full" in status.problems[0]


def test_one_whose_cluster_was_killed_is_over_and_says_so(store: RunStore) -> None:
    group = start_demonstration(store, DATA)
    for path in (store.root / ".jobs").glob("[!.]*/request.json"):
        record = json.loads(path.read_text())
        record["submitter"]["started"] = "1"
        path.write_text(json.dumps(record))
    group_status(store, group)  # submits the analyses, here of no run
    status = group_status(store, group)
    assert status.is_over
    assert "No cluster took it" in status.problems[0]
    assert {run.state for run in runs_of(store, group)} == {"interrupted"}


def test_an_unknown_group_is_refused(store: RunStore) -> None:
    with pytest.raises(JobError, match="no group 'x'"):
        group_status(store, "x")
