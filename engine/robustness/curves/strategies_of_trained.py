"""Which runs are one training strategy under several seeds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from engine.foundation.seeding import without_seed
from engine.training import Trained


def strategies_of(trained: Sequence[Trained]) -> list[str]:
    """A strategy name for each run: equal for runs whose configs differ only in seed and device.

    The number of gradient passes that compute-matched runs may take differs with the seed too, so
    their names tell what they were matched to.

    The name is that of its runs without the seed, or else what their labels share at the start; two
    strategies of one name are told apart by a number.
    """
    settings = []
    for run in trained:
        same = {"seed": 0, "device": "auto", "match_gradient_passes": None}
        is_matched = run.config.match_gradient_passes is not None
        matched_to = without_seed(run.label) if is_matched else ""
        settings.append((run.config.model_copy(update=same).model_dump_json(), matched_to))
    names: dict[tuple[str, str], str] = {}
    taken: Counter[str] = Counter()
    for setting in dict.fromkeys(settings):
        labels = [run.label for run, s in zip(trained, settings, strict=True) if s == setting]
        name = _shared_name(labels) or f"strategy {len(names) + 1}"
        taken[name] += 1
        names[setting] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return [names[setting] for setting in settings]


def _shared_name(labels: list[str]) -> str:
    """``mg`` of ``mg, seed 0``, of ``mg-s0`` and ``mg-s1``, of ``mg 1`` and ``mg 2``."""
    plain = {
        re.sub(r"[\s\-_,/(#]+(seed|s)[\s\-_=:#]*\d+\)?$", "", name, flags=re.I) for name in labels
    }
    if len(plain) == 1:
        return plain.pop()
    shortest = min(labels, key=len)
    same = [len({label[: i + 1] for label in labels}) == 1 for i in range(len(shortest))]
    shared = shortest[: same.index(False)] if False in same else shortest
    return re.sub(r"([\s\-_,/(#·]+(seed|s)?)?[\s\-_=:#·]*$", "", shared, flags=re.I)
