"""Where the result of an analysis is kept, and reading it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import ConfigError
from engine.foundation.result import Result
from engine.runs import RunStore
from engine.studies.analysis_table import known_analysis

if TYPE_CHECKING:
    from engine.foundation.config import Config


def run_order(runs: Sequence[str]) -> list[str]:
    """Run ids without repeats, oldest first: the order in which compared runs are shown."""
    return sorted(set(runs))


def result_key(runs: Sequence[str], config: Mapping[str, Any]) -> str:
    """What a result is kept under: the same runs and settings give the same key."""
    text = json.dumps([run_order(runs), config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def requested_key(kind: str, runs: Sequence[str], config: Config | Mapping[str, Any]) -> str:
    """The key of an analysis's result for settings that may leave out defaults.

    Raises ConfigError where the settings are not valid or no run is named.
    """
    if not runs:
        raise ConfigError(f"{kind} needs at least one run; choose one.")
    values = dict(config) if isinstance(config, Mapping) else config.model_dump(mode="json")
    checked = known_analysis(kind).config_class().parse(values).model_dump(mode="json")
    return result_key(runs, checked)


def find_result(
    store: RunStore, kind: str, runs: Sequence[str], config: Config | Mapping[str, Any]
) -> Result | None:
    """The kept result of an analysis of these runs with these settings, or None.

    Raises as ``requested_key``, and ResultError where it is damaged or of other weights than the
    runs now have: then it is to be computed again.
    """
    key = requested_key(kind, runs, config)
    result_class = known_analysis(kind).result_class()
    run = store.get(run_order(runs)[0])
    return run.load_result(result_class, key) if run.has_result(result_class.kind, key) else None
