"""Options of every command that reads a dataset: how it is split and what is left out."""

from __future__ import annotations

import argparse

SPLIT_HELP = (
    "split all interactions anew: label (the file's own), random, user_time or leave_one_out "
    "(default: what the files give, else by time, else random)"
)


def add_reading(parser: argparse.ArgumentParser, *more_names_of_seed: str) -> None:
    """The options of reading; those that the dataset's format has no use for are refused."""
    parser.add_argument("--split", help=SPLIT_HELP)
    parser.add_argument(
        "--split-seed", *more_names_of_seed, type=int, dest="split_seed",
        help="seed of a split that draws at random (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--min-rating", type=float, help="leave interactions rated lower out (default: keep all)"
    )
    parser.add_argument(
        "--valid",
        help="validation of an AMR folder: leave_one_out (default), ratio, or none for a fixed "
        "number of epochs",
    )


def source_of(arguments: argparse.Namespace) -> str:
    """The dataset with these options as one line, ``folder?split=random&min_rating=4``.

    Raises ConfigError for an option whose value is not allowed.
    """
    from engine.data.readers import dataset_source

    return dataset_source(
        arguments.dataset,
        arguments.split,
        min_rating=arguments.min_rating,
        seed=arguments.split_seed,
        valid=arguments.valid,
    )
