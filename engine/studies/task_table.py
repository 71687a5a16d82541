"""The table of tasks that ``engine.jobs`` runs by name: training, and every analysis."""

from __future__ import annotations

from functools import partial

from engine.jobs.tasks import Task
from engine.studies.analysis_table import ANALYSES
from engine.studies.run_analysis import run_analysis
from engine.studies.trainings import train

TASKS: dict[str, Task] = {
    "train": train,
    **{kind: partial(run_analysis, kind) for kind in ANALYSES},
}
