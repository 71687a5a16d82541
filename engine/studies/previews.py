"""Partial results of an analysis under way, kept where a page can read them.

A preview is a result of the analysis's own class that still has gaps. It lies beside the jobs, not
in a run's folder, so that it is never taken for a result, exported or compared, and it is gone when
its job is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import BasinError
from engine.foundation.result import Result
from engine.jobs.cluster_address import JOBS_NAME
from engine.runs import RunStore
from engine.studies.analysis_results import requested_key
from engine.studies.analysis_table import known_analysis

if TYPE_CHECKING:
    from engine.foundation.config import Config

PREVIEWS = ".previews"


@contextmanager
def preview_writer(store: RunStore, kind: str, key: str) -> Iterator[Callable[[Result], None]]:
    """Give a function that writes the newest preview of the result that ``key`` will have.

    On leaving, however that happens, the preview is gone. A preview that cannot be written is left
    out: the analysis itself goes on.
    """
    path = _path(store, kind, key)

    def write(result: Result) -> None:
        with suppress(OSError):
            result.save(path)

    path.unlink(missing_ok=True)
    try:
        yield write
    finally:
        path.unlink(missing_ok=True)


def find_preview(
    store: RunStore, kind: str, runs: Sequence[str], config: Config | Mapping[str, Any]
) -> Result | None:
    """The newest preview of an analysis of these runs with these settings, or None."""
    path = _path(store, kind, requested_key(kind, runs, config))
    with suppress(BasinError):  # gone, because the job has ended meanwhile
        return known_analysis(kind).result_class().load(path)
    return None


def _path(store: RunStore, kind: str, key: str) -> Path:
    return store.root / JOBS_NAME / PREVIEWS / f"{kind}-{key}.npz"
