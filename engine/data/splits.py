"""How raw interactions become train, valid and test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from engine.data.dataset import SPLITS
from engine.foundation.config import Config, readable
from engine.foundation.errors import ConfigError, DataError
from engine.foundation.seeding import numpy_generator

TRAIN, VALID, TEST = range(len(SPLITS))


class LabelSplit(Config):
    """Keep the split that the file itself gives."""

    name: Literal["label"] = "label"
    """The kind of split."""


class _ShareSplit(Config):
    valid_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of each user's interactions held out for validation, 0 to 1."""
    test_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of each user's interactions held out for the test, 0 to 1."""

    @model_validator(mode="after")
    def _leaves_some_for_train(self) -> Self:
        if self.valid_share + self.test_share >= 1.0:
            raise ValueError("valid_share and test_share must add up to less than 1")
        return self


class RandomSplit(_ShareSplit):
    """Hold out a random share of each user's interactions."""

    name: Literal["random"] = "random"
    """The kind of split."""
    seed: int = Field(default=0, ge=0)
    """Seed that decides which interactions are held out."""


class UserTimeSplit(_ShareSplit):
    """Hold out each user's latest interactions: the last are test, those before them valid."""

    name: Literal["user_time"] = "user_time"
    """The kind of split."""


class LeaveOneOutSplit(Config):
    """Hold out two interactions of each user: the last is test, the one before it valid."""

    name: Literal["leave_one_out"] = "leave_one_out"
    """The kind of split."""
    order: Literal["time", "random"] = "time"
    """Whether 'last' is by timestamp or by a seeded shuffle."""
    seed: int = Field(default=0, ge=0)
    """Seed of the shuffle; unused by 'time'."""


SplitConfig = Annotated[
    LabelSplit | RandomSplit | UserTimeSplit | LeaveOneOutSplit, Field(discriminator="name")
]


SPLIT_NAMES = ("label", "random", "user_time", "leave_one_out")
"""The kinds of split by name."""
_ANY_SPLIT: TypeAdapter[SplitConfig] = TypeAdapter(SplitConfig)


def split_from(values: Mapping[str, Any]) -> SplitConfig:
    """The split of plain values such as ``{"name": "random", "seed": 3}``.

    Raises ConfigError naming the kinds that there are, or each bad field and what it allows.
    """
    if values.get("name") not in SPLIT_NAMES:
        raise ConfigError(
            f"'{values.get('name')}' is not a kind of split; allowed are {', '.join(SPLIT_NAMES)}."
        )
    try:
        return _ANY_SPLIT.validate_python(dict(values))
    except ValidationError as error:
        raise ConfigError(readable(error, f"the split '{values['name']}'")) from None


def draws_at_random(split: SplitConfig) -> bool:
    """Whether a seed decides this split."""
    return split.name == "random" or (split.name == "leave_one_out" and split.order == "random")


def describe_split(split: SplitConfig, column: str = "") -> str:
    """One sentence on how interactions were split; ``column`` is that of labels or times."""
    by = f" (column {column})" if column else ""
    if split.name == "label":
        return f"Split: as the file gives it{by}."
    if split.name == "leave_one_out":
        how = f"by time{by}" if split.order == "time" else f"at random with seed {split.seed}"
        return (
            f"Split: {how}, leaving one out: each user's last interaction is test, the one before "
            "it validation."
        )
    held_out = f"{split.test_share:.0%} test, {split.valid_share:.0%} validation"
    if split.name == "random":
        return f"Split: at random with seed {split.seed}, of each user {held_out}."
    return f"Split: by each user's time{by}, the latest {held_out}."


def needs_time(split: SplitConfig) -> bool:
    """Whether this split orders interactions by their timestamps."""
    return split.name == "user_time" or (split.name == "leave_one_out" and split.order == "time")


def split_labels(
    users: np.ndarray,
    split: SplitConfig,
    timestamps: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    source: str = "interactions",
) -> np.ndarray:
    """Give each of N interactions its split: 0 train, 1 valid, 2 test, as int8 [N].

    ``users`` [N] are ids from 0, ``timestamps`` [N] any numbers, ``labels`` [N] the file's own
    split in the same coding. Equal timestamps keep the order of the rows. A share counts at least
    one interaction where the user has one to spare: train keeps at least one of every user, then
    test is served before valid. So a user of one interaction is train only, of two train and test.

    Raises DataError where the split needs timestamps or labels that ``source`` does not have.
    """
    if split.name == "label":
        if labels is None:
            raise DataError(
                f"{source}: the split 'label' was asked for, but there is no column saying which "
                "interaction is train, valid or test; add one or choose 'random'."
            )
        return labels.astype(np.int8)
    if needs_time(split):
        if timestamps is None:
            raise DataError(
                f"{source}: the split '{split.name}' orders by time, but there is no timestamp "
                "column; add one or choose a random split."
            )
        key = timestamps
    else:
        assert not isinstance(split, UserTimeSplit)  # it needs time
        key = numpy_generator(split.seed, "split").permutation(len(users))

    counts = np.bincount(users)
    if isinstance(split, LeaveOneOutSplit):
        n_test = np.minimum(counts - 1, 1)
        n_valid = np.minimum(counts - 1 - n_test, 1)
    else:
        n_test = np.minimum(counts - 1, _held_out(counts, split.test_share))
        n_valid = np.minimum(counts - 1 - n_test, _held_out(counts, split.valid_share))

    order = np.lexsort((key, users))  # stable: ties keep the order of the rows
    sorted_users = users[order]
    rank = np.arange(len(users)) - (np.cumsum(counts) - counts)[sorted_users]
    from_end = counts[sorted_users] - 1 - rank
    held_out = np.where(from_end < n_test[sorted_users], TEST, VALID)
    is_train = from_end >= (n_test + n_valid)[sorted_users]
    result = np.empty(len(users), dtype=np.int8)
    result[order] = np.where(is_train, TRAIN, held_out)
    return result


def _held_out(counts: np.ndarray, share: float) -> np.ndarray:
    """A share of each count, rounded, but at least one (none where the share is 0)."""
    if share == 0.0:
        return np.zeros_like(counts)
    return np.maximum(1, np.rint(share * counts).astype(np.int64))
