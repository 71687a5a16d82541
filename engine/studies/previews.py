"""What an analysis under way has found so far, kept where a page can read it.

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

if TYPE_CHECKING:
    from engine.foundation.config import Config

PREVIEWS = ".previews"


@contextmanager
def previewed(store: RunStore, kind: str, key: str) -> Iterator[Callable[[Result], None]]:
    """Give a function that keeps the newest preview of the result that ``key`` will have.

    On leaving, however that happens, the preview is gone. A preview that cannot be written is left
    out: the analysis itself goes on.
    """
    path = _path(store, kind, key)

    def keep(result: Result) -> None:
        with suppress(OSError):
            result.save(path)

    path.unlink(missing_ok=True)
    try:
        yield keep
    finally:
        path.unlink(missing_ok=True)


def find_preview(
    store: RunStore, kind: str, runs: Sequence[str], config: Config | Mapping[str, Any]
) -> Result | None:
    """The newest preview of an analysis of these runs with these settings, or None."""
    from engine.studies.analysis_table import known_analysis, result_key

    analysis = known_analysis(kind)
    values = dict(config) if isinstance(config, Mapping) else config.model_dump(mode="json")
    checked = analysis.config_class().parse(values).model_dump(mode="json")
    path = _path(store, kind, result_key(runs, checked))
    with suppress(BasinError):  # gone, because the job has ended meanwhile
        return analysis.result_class().load(path)
    return None


def _path(store: RunStore, kind: str, key: str) -> Path:
    return store.root / JOBS_NAME / PREVIEWS / f"{kind}-{key}.npz"
