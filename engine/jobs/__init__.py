"""Background work: here or on a cluster, with progress, cancel, log and result.

Importing this room imports neither torch nor Dask: pages submit and watch through files.
"""

from engine.jobs.cluster_address import Cluster, ensure_cluster, find_cluster
from engine.jobs.job import Job, JobState, JobStatus
from engine.jobs.run_list import list_runs
from engine.jobs.submit import active_for, active_jobs, find_job, jobs, run_here, submit

__all__ = [
    "Cluster",
    "Job",
    "JobState",
    "JobStatus",
    "active_for",
    "active_jobs",
    "ensure_cluster",
    "find_cluster",
    "find_job",
    "jobs",
    "list_runs",
    "run_here",
    "submit",
]
