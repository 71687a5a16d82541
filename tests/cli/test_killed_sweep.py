"""A sweep whose process is killed outright goes on where it was."""

import json
import signal
import subprocess
import sys

from engine.runs import RunStore
from engine.studies.sweeps import sweep_of

DATA = "synthetic:users=60,items=40,interactions=900,image=6,text=4"
EPOCHS = 12
OPTIONS = (
    "sweep", "s", "--dataset", DATA, "--here", "--seeds", "2", "--preset", "plain",
    "--preset", "sam", "--set", f"epochs={EPOCHS}", "--set", "patience=100",
    "--set", "checkpoint_every=1", "--set", "device=cpu", "--set", "model.width=4",
    "--set", "batch_size=64",
)  # fmt: skip

KILLED = """
import os, signal, sys
from engine.cli import main
from engine.runs import Run

keep = Run.save_checkpoint

def keep_and_die(run, snapshot):
    keep(run, snapshot)
    if run.config["stepper"]["name"] == "sam" and len(run.events("epoch")) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

Run.save_checkpoint = keep_and_die
main(sys.argv[1:])
"""
"""Takes itself away in the middle of the third run, as ``kill -9`` does."""


def states(store):
    table = sweep_of(store, "s").table()
    return dict(zip(table["run"], table["state"], strict=True))


def test_kill_9_in_the_middle_loses_no_finished_run_and_repeats_none(tmp_path):
    store = RunStore(tmp_path / "runs")
    options = [*OPTIONS, "--runs-folder", str(store.root)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *options], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = states(store)
    assert sorted(found.values()) == ["finished", "finished", "interrupted", "interrupted"]
    done = [run for run, state in found.items() if state == "finished"]
    kept = {run: (store.root / run / "summary.json").read_bytes() for run in done}
    started = [store.get(run) for run in found if run not in done]
    assert 5 in [len(run.events("epoch")) for run in started]

    again = subprocess.run(
        [sys.executable, "-m", "engine", *options, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout.splitlines()[-1])
    assert told["started"] == 2
    assert told["states"] == {"finished": 4}
    assert {run: (store.root / run / "summary.json").read_bytes() for run in done} == kept
    for run in started:
        assert run.events("epoch")["epoch"].tolist() == list(range(1, EPOCHS + 1))
