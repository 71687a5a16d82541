"""Datasets, their readers and synthetic data.

Importing this room does not import torch; what needs it is in ``engine.data.features`` and
``engine.data.negatives``.
"""

from engine.data.dataset import SPLITS, Dataset, Interactions, Split
from engine.data.readers import FORMATS, DatasetFormat, dataset_source, find_datasets, read_dataset
from engine.data.splits import (
    LabelSplit,
    LeaveOneOutSplit,
    RandomSplit,
    SplitConfig,
    UserTimeSplit,
    split_labels,
)
from engine.data.synthetic import synthetic

__all__ = [
    "FORMATS",
    "SPLITS",
    "Dataset",
    "DatasetFormat",
    "Interactions",
    "LabelSplit",
    "LeaveOneOutSplit",
    "RandomSplit",
    "Split",
    "SplitConfig",
    "UserTimeSplit",
    "dataset_source",
    "find_datasets",
    "read_dataset",
    "split_labels",
    "synthetic",
]
