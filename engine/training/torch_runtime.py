"""Settings of torch that hold while a run trains, and its out-of-memory errors explained."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from engine.foundation.devices import ran_out_of_memory
from engine.foundation.errors import TrainingError


@contextmanager
def deterministic_algorithms(is_on: bool) -> Iterator[None]:
    """Sum in a fixed order, and let torch refuse operations that cannot, where ``is_on``.

    Without it the gradient of gathered rows is added up by several CPU threads in any order.
    """
    before = torch.are_deterministic_algorithms_enabled()
    settings: Any = torch.utils.deterministic  # its attributes are made at run time
    fills = settings.fill_uninitialized_memory
    if is_on:  # without it cuBLAS has no reproducible products, and torch refuses them
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        settings.fill_uninitialized_memory = False  # every buffer is written whole
    torch.use_deterministic_algorithms(is_on or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = fills


@contextmanager
def explain_out_of_memory(device: str) -> Iterator[None]:
    """Raise TrainingError with advice where a device has no memory left."""
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory on device {device}; choose a smaller model.width, feature_precision "
            "bfloat16, or device cpu."
        ) from error
