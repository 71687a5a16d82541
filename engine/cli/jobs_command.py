"""``jobs``: what is under way in a runs folder, whoever asked for it; logs, waiting and cancel."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.terminal import add_common, store_of, with_bar
from engine.foundation.errors import BasinError, ConfigError, JobError
from engine.foundation.progress import Progress
from engine.jobs import Job, active_jobs, jobs
from engine.runs import RunStore

SHOWN = 20
"""Jobs that are listed with ``--all``, newest first."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``jobs``."""
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="a job's id, the beginning of it, "
                        "or a run it works on; none: all that are under way")  # fmt: skip
    parser.add_argument("--all", action="store_true", help=f"list ended ones too, newest {SHOWN}")
    parser.add_argument("--log", action="store_true", help="print their logs")
    parser.add_argument("--wait", action="store_true", help="wait until they are over")
    parser.add_argument("--cancel", action="store_true", help="ask them to stop")
    add_common(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """List jobs, print their logs, wait for them or stop them."""
    store = store_of(arguments)
    if arguments.all and arguments.cancel:
        raise ConfigError("--all lists ended jobs, which cannot be cancelled; leave it out.")
    if arguments.jobs:
        chosen = [_job_named(store, name) for name in arguments.jobs]
    else:
        chosen = jobs(store)[:SHOWN] if arguments.all else active_jobs(store)
    if arguments.cancel:
        for job in chosen:
            job.cancel()
    if arguments.wait or arguments.cancel:
        with_bar(f"{len(chosen)} jobs", lambda bar: _wait(chosen, bar))
    summaries = [_summary(job) for job in chosen]
    for job, line in zip(chosen, summaries, strict=True):
        if arguments.json:
            continue
        left = f", about {line['seconds_left']:.0f} s left" if line["seconds_left"] else ""
        print(f"{job.id}  {line['state']} {line['share']:.0%}  {line['message']}{left}"
              f"  {line['reason']}".rstrip())  # fmt: skip
        if arguments.log:
            print(job.log().rstrip())
    if not chosen and not arguments.json:
        print("nothing is under way")
    return {"jobs": summaries}


def _wait(chosen: list[Job], bar: Progress) -> dict[str, Any]:
    for number, job in enumerate(chosen):
        job.wait()
        bar((number + 1) / len(chosen), job.id)
    return {}


def _summary(job: Job) -> dict[str, Any]:
    try:
        status = job.status()
    except BasinError as error:  # damaged, or of a newer version
        return {"job": job.id, "task": "", "state": "unreadable", "share": 0.0, "message": "",
                "seconds_left": None, "reason": str(error), "runs": []}  # fmt: skip
    return {
        "job": job.id,
        "task": job.task,
        "state": status.state,
        "share": round(status.share, 4),
        "message": status.message,
        "seconds_left": status.seconds_left,
        "reason": status.reason,
        "runs": list(status.run_ids),
    }


def _job_named(store: RunStore, name: str) -> Job:
    """The newest job of that id, or that works on a run of that id."""
    for job in jobs(store):
        if job.id.startswith(name) or name in _summary(job)["runs"]:
            return job
    raise JobError(f"there is no job '{name}' in {store.root}; `python -m engine jobs --all`.")
