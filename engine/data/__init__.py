"""Datasets, their readers, synthetic data and negative sampling."""

from engine.data.dataset import MODALITIES, SPLITS, Dataset, Interactions, Split
from engine.data.negatives import NegativeSampler
from engine.data.readers import FORMATS, DatasetFormat, find_datasets, read_dataset
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
    "MODALITIES",
    "SPLITS",
    "Dataset",
    "DatasetFormat",
    "Interactions",
    "LabelSplit",
    "LeaveOneOutSplit",
    "NegativeSampler",
    "RandomSplit",
    "Split",
    "SplitConfig",
    "UserTimeSplit",
    "find_datasets",
    "read_dataset",
    "split_labels",
    "synthetic",
]
