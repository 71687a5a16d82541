"""A run is a folder; the store makes, finds, lists, bins, exports and imports them.

Importing this room does not import torch: the dashboard lists runs before torch is loaded.
"""

from engine.runs.provenance import provenance_of
from engine.runs.run import Run
from engine.runs.status import RunState, RunStatus
from engine.runs.store import RunStore

__all__ = ["Run", "RunState", "RunStatus", "RunStore", "provenance_of"]
