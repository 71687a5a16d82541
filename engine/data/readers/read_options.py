"""What every reader is told beside the path, and how a dataset's source writes it down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

from engine.data.splits import SplitConfig, draws_at_random, split_from
from engine.foundation.errors import ConfigError, DataError

Validation = Literal["leave_one_out", "ratio", "none"]
"""How an AMR folder, which has no validation set, gets one from the training interactions."""

_SPLIT_KEYS = ("split", "valid_share", "test_share", "order")
_KEYS = (*_SPLIT_KEYS, "min_rating", "seed", "valid")
_QUERY = re.compile(r"(.*)\?(\w+=[^/?]*)", re.DOTALL)


@dataclass(frozen=True)
class ReadOptions:
    """How to read. What a format has no use for is refused, not ignored."""

    split: SplitConfig | None = None
    """How to split; None takes the file's own split or the format's default."""
    min_rating: float | None = None
    """Interactions rated lower are left out; None keeps all. Not for AMR and synthetic data."""
    seed: int | None = None
    """Seed of a split that draws at random; None is 0."""
    valid: Validation | None = None
    """Where validation comes from (AMR folders only); None leaves one out of each user."""
    memory_map: bool | None = None
    """Whether features stay on disk; None maps files above 512 MiB."""
    source: str = ""
    """The path or name as the user gave it with the options above, kept in ``Dataset.source``."""

    @property
    def drawn_with(self) -> int:
        """The seed of a default split that draws."""
        return self.seed or 0

    def check_seed(self, split: SplitConfig) -> None:
        """Raise ConfigError where a seed was given and this split does not draw."""
        if self.seed is not None and not draws_at_random(split):
            raise ConfigError(
                f"the seed {self.seed} has no use here: the split '{split.name}' draws nothing at "
                "random. Leave --seed out or choose --split random."
            )


def read_options(
    source: str,
    split: SplitConfig | str | None,
    min_rating: float | None,
    seed: int | None,
    valid: str | None,
    memory_map: bool | None,
) -> tuple[str, ReadOptions]:
    """The place that ``source`` names, and the options it and the other arguments give.

    Raises ConfigError for an unknown option, split or value.
    """
    place, written = split_source(source)
    values: dict[str, Any] = dict(written)
    if min_rating is not None:
        values["min_rating"] = min_rating
    if valid is not None:
        values["valid"] = valid
    if seed is not None:
        values["seed"] = seed
    if isinstance(split, str):
        values = {key: value for key, value in values.items() if key not in _SPLIT_KEYS}
        values["split"] = split
    number = _number(values, "seed", int)
    if number is not None and number < 0:
        raise ConfigError(f"the seed is {number}; a whole number from 0 is needed.")
    chosen = split if split is not None and not isinstance(split, str) else _split(values, number)
    if chosen is not None and number is not None and draws_at_random(chosen):
        chosen = split_from(chosen.model_dump() | {"seed": number})
    valid_name = values.get("valid")
    if valid_name is not None and valid_name not in get_args(Validation):
        raise ConfigError(
            f"valid is '{valid_name}'; allowed are {', '.join(get_args(Validation))}."
        )
    options = ReadOptions(
        chosen, _number(values, "min_rating", float), number, valid_name, memory_map
    )
    if chosen is not None:
        options.check_seed(chosen)
    return place, replace(options, source=place + _query(options))


def split_source(source: str) -> tuple[str, Mapping[str, str]]:
    """A dataset's source as place and options: ``shop?split=random&seed=3`` reads ``shop``.

    Raises ConfigError for options that are unknown.
    """
    match = _QUERY.fullmatch(source)
    if match is None or _exists(source):
        return source, {}
    values = dict(parse_qsl(match[2], keep_blank_values=True))
    unknown = [key for key in values if key not in _KEYS]
    if unknown:
        raise ConfigError(
            f"'{source}': '{unknown[0]}' is not an option of reading; allowed are "
            f"{', '.join(_KEYS)}."
        )
    return match[1], values


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):
        return False


def _split(values: Mapping[str, Any], seed: int | None) -> SplitConfig | None:
    if "split" not in values:
        extra = [key for key in _SPLIT_KEYS if key in values]
        if extra:
            raise ConfigError(f"'{extra[0]}' belongs to a split; name one with 'split='.")
        return None
    fields = {key: values[key] for key in _SPLIT_KEYS[1:] if key in values}
    chosen = split_from({"name": values["split"], **fields})
    if seed is not None and chosen.name in ("random", "leave_one_out"):
        if chosen.name == "leave_one_out" and "order" not in fields:
            fields["order"] = "random"  # a seed can mean nothing else
        chosen = split_from({"name": values["split"], **fields, "seed": seed})
    return chosen


def _number(values: Mapping[str, Any], key: str, kind: type) -> Any:
    value = values.get(key)
    if value is None:
        return None
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or number != number or abs(number) == float("inf"):
        raise ConfigError(f"{key} is {str(value)[:40]!r}; a number is needed.")
    return number


def _query(options: ReadOptions) -> str:
    """The options as a source writes them, '' where all are the defaults."""
    values: dict[str, Any] = {}
    if options.split is not None:
        fields = options.split.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
        values = {"split": options.split.name, **fields}
    for key in ("min_rating", "seed", "valid"):
        value = getattr(options, key)
        if value is not None:
            values[key] = f"{value:g}" if key == "min_rating" else value
    return f"?{urlencode(values)}" if values else ""


def refuse_unused(options: ReadOptions, understood: frozenset[str], name: str) -> None:
    """Raise DataError where an option was given that this format has no use for."""
    for key in ("min_rating", "valid"):
        if getattr(options, key) is not None and key not in understood:
            why = {
                "min_rating": "it has no ratings",
                "valid": "only AMR folders lack a validation set",
            }[key]
            option = "--" + key.replace("_", "-")
            raise DataError(f"{option} has no use for the format {name}: {why}. Leave it out.")
