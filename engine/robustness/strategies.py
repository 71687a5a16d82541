"""Which runs are one training strategy under several seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.training import Trained


def strategies_of(trained: Sequence[Trained]) -> list[str]:
    """A strategy name for each run: equal for runs whose configs differ only in seed and device.

    The number of gradient passes that compute-matched runs may take differs with the seed too, so
    only whether there is one counts.

    The name is what the labels of its runs share at their start, without a trailing seed; two
    strategies of one name are told apart by a number.
    """
    settings = []
    for run in trained:
        matched = run.config.match_gradient_passes is not None
        same = {"seed": 0, "device": "auto", "match_gradient_passes": 1 if matched else None}
        settings.append(run.config.model_copy(update=same).model_dump_json())
    names: dict[str, str] = {}
    for setting in dict.fromkeys(settings):
        labels = [run.label for run, s in zip(trained, settings, strict=True) if s == setting]
        name = _without_seed(_shared_start(labels))
        name = name or f"strategy {len(names) + 1}"
        taken = list(names.values())
        names[setting] = name if name not in taken else f"{name} ({taken.count(name) + 1})"
    return [names[setting] for setting in settings]


def _shared_start(labels: list[str]) -> str:
    shortest = min(labels, key=len)
    same = [len({label[: i + 1] for label in labels}) == 1 for i in range(len(shortest))]
    return shortest[: same.index(False)] if False in same else shortest


def _without_seed(label: str) -> str:
    return re.sub(r"[\s\-_,/(#]*(seed|s)?[\s\-_=:#]*\d*\s*\)?$", "", label, flags=re.I) or label
