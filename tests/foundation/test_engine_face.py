"""The engine offers what a notebook needs, and importing it waits for nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import engine


@pytest.mark.parametrize("name", engine.__all__)
def test_each_name_is_what_its_room_calls_so(name: str) -> None:
    offered = getattr(engine, name)
    assert offered.__name__ == name
    assert offered.__module__.startswith("engine.")
    assert name in dir(engine)


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match="read_dataset"):
        _ = engine.red_dataset


def test_importing_the_engine_or_the_runs_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, engine\n"
        "loaded = {'torch', 'pandas', 'numpy', 'dask', 'umap', 'scipy'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "engine.RunStore\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
