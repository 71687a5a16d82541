"""The dashboard lists and starts work before torch is loaded."""

import subprocess
import sys


def test_runs_and_jobs_import_neither_torch_nor_dask() -> None:
    code = (
        "import sys, engine.runs, engine.jobs\n"
        "loaded = {'torch', 'distributed', 'dask', 'umap', 'numba'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
