"""A sweep whose process is killed outright goes on where it was."""

import json
import signal
import subprocess
import sys
import time

from engine.jobs.sweeps import sweep_of
from engine.runs import RunStore

DATA = "synthetic:users=60,items=40,interactions=900,image=6,text=4"
SLOW = ("--set", "epochs=100", "--set", "patience=100", "--set", "checkpoint_every=5",
        "--set", "device=cpu", "--set", "model.width=4", "--set", "batch_size=128")  # fmt: skip


def sweep(folder, *more):
    command = [
        sys.executable, "-m", "engine", "sweep", "s", "--dataset", DATA, "--here", "--seeds", "2",
        "--preset", "plain", "--preset", "sam", "--at-once", "2", "--runs-folder", str(folder),
        *SLOW, *more,
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def states(store):
    table = sweep_of(store, "s").table()
    return dict(zip(table["run"], table["state"], strict=True))


def test_kill_9_in_the_middle_loses_no_finished_run_and_repeats_none(tmp_path):
    store = RunStore(tmp_path / "runs")
    process = sweep(store.root)
    second_pass: list = []
    deadline = time.monotonic() + 120
    while not second_pass and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
        if (store.root / ".sweeps" / "s.json").exists():
            done = [run for run, state in states(store).items() if state == "finished"]
            if len(done) == 2:
                runs = [store.get(run) for run in states(store) if run not in done]
                second_pass = [r for r in runs if r.has_checkpoint]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert second_pass, "the second pass never got to a checkpoint"
    assert sorted(states(store).values()) == ["finished", "finished", "interrupted", "interrupted"]
    kept = {run: (store.root / run / "summary.json").read_bytes() for run in done}
    epochs_before = len(second_pass[0].events("epoch"))

    again = sweep(store.root, "--json")
    printed, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    told = json.loads(printed.splitlines()[-1])
    assert told["started"] == 2
    assert told["states"] == {"finished": 4}
    assert {run: (store.root / run / "summary.json").read_bytes() for run in done} == kept
    epochs = second_pass[0].events("epoch")["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1))
    assert epochs_before < len(epochs) == 100
