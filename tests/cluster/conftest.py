"""Clusters as real processes; see ``tests/support``."""

from tests.support.cluster_fixtures import sample_tasks, store

__all__ = ["sample_tasks", "store"]
