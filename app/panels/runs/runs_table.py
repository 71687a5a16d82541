"""The table of all runs: name, note, tags and star are edited in place."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app.selection.choice import look_at_runs
from app.selection.workspace import run_store
from app.widgets.error_boundary import show_error
from app.widgets.resume import STOPPED, resume
from engine.foundation.errors import BasinError
from engine.jobs import list_runs

EDITABLE = ("star", "name", "note", "tags")


def runs_table() -> pd.DataFrame:
    """Draw the table and keep what the visitor changes; returns the selected rows."""
    from engine.runs.comparison.comparison_tables import unusual_settings

    store = run_store()
    table = list_runs(store)
    shown = pd.DataFrame(
        {
            "selected": False,
            "star": table["star"].fillna(False).astype(bool),
            "name": table["name"],
            "state": table["state"],
            "reason": table["reason"].fillna(""),
            "model": table.get("config.model.name"),
            "settings": unusual_settings(table),
            "dataset": table["dataset"],
            "seed": table["seed"],
            "recall": table.get("test.recall@20"),
            "ndcg": table.get("test.ndcg@20"),
            "epoch": table.get("best_epoch"),
            "seconds": table["seconds"],
            "created": pd.to_datetime(table["created"], errors="coerce"),
            "tags": [list(t) if isinstance(t, list) else [] for t in table["tags"]],
            "note": table["note"].fillna(""),
            "id": table["id"],
        }
    )
    column: Any = st.column_config
    edited: pd.DataFrame = st.data_editor(
        shown,
        hide_index=True,
        width="stretch",
        height=min(430, 38 + 35 * max(len(shown), 1)),
        key=f"runs_table.{st.session_state.get('runs_version', 0)}",
        disabled=[str(c) for c in shown.columns if c not in (*EDITABLE, "selected")],
        column_config={
            "selected": column.CheckboxColumn(
                "Tick", help="Act on this run", width=70, pinned=True
            ),
            "star": column.CheckboxColumn("★", width=70, pinned=True),
            "name": column.TextColumn("Run", required=True, pinned=True),
            "state": column.TextColumn("State"),
            "reason": column.TextColumn("Reason", help="Why it stopped before its end"),
            "model": column.TextColumn("Model"),
            "settings": column.TextColumn(
                "Settings", width="medium", help="Those that are not what most runs have"
            ),
            "dataset": column.TextColumn("Dataset"),
            "seed": column.NumberColumn("Seed", format="%d"),
            "recall": column.NumberColumn("Recall@20", format="%.4f", help=TEST_HELP),
            "ndcg": column.NumberColumn("NDCG@20", format="%.4f", help=TEST_HELP),
            "epoch": column.NumberColumn("Epoch", format="%d", help="Chosen by validation"),
            "seconds": column.NumberColumn("Wall time (s)", format="%.1f"),
            "created": column.DatetimeColumn("Created (UTC)", format="D MMM, HH:mm"),
            "tags": column.MultiselectColumn(
                "Tags",
                options=sorted({t for tags in shown["tags"] for t in tags}),
                accept_new_options=True,
            ),
            "note": column.TextColumn("Note", width="medium"),
            "id": column.TextColumn("Id"),
        },
    )
    keep_changes(shown, edited)
    return table[edited["selected"].to_numpy(dtype=bool)]


TEST_HELP = "Test split, all items ranked, mean over users, at the epoch that validation chose"


def keep_changes(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Write changed names, notes, tags and stars into the runs' folders."""
    changed = False
    for old, new in zip(before.to_dict("records"), after.to_dict("records"), strict=True):
        if any(old[field] != new[field] for field in EDITABLE):
            run_store().get(str(old["id"])).label(
                name=str(new["name"]),
                note=str(new["note"] or ""),
                tags=list(new["tags"]),
                star=bool(new["star"]),
            )
            changed = True
    if changed:
        redraw()


def redraw() -> None:
    """Draw the table anew from the folders, with nothing selected."""
    st.session_state["runs_version"] = st.session_state.get("runs_version", 0) + 1
    st.rerun()


def actions(selected: pd.DataFrame) -> None:
    """Buttons for the selected runs, and for the folder: import, bin."""
    store, ids = run_store(), [str(i) for i in selected["id"]]
    none = not ids
    look, go_on, export, delete, load, binned = st.columns(6)
    look.button(
        "Look at",
        icon=":material/visibility:",
        disabled=none,
        width="stretch",
        on_click=look_at_runs,
        args=(ids,),
        help="Choose the ticked runs on all pages",
    )
    can_resume = set(selected["state"]) & set(STOPPED)
    if go_on.button(
        "Resume", icon=":material/resume:", disabled=not can_resume, width="stretch",
        help="Go on with the ticked runs that stopped before their end, from their checkpoints",
    ):  # fmt: skip
        with st.spinner("Queueing ..."):
            started = resume(ids)
        st.toast(f"{started} runs queued; watch them on the page Train.")
        redraw()
    export.download_button(
        "Export",
        data=lambda: export_zip(ids),
        file_name="basin-runs.zip",
        mime="application/zip",
        icon=":material/archive:",
        disabled=none,
        width="stretch",
        on_click="ignore",
        help="The ticked runs as one zip that another Basin can import",
    )
    if delete.button("Delete", icon=":material/delete:", disabled=none, width="stretch"):
        for run in ids:
            store.delete(run)
        redraw()
    with load.popover("Import", icon=":material/upload:", width="stretch"):
        upload = st.file_uploader("A zip that Basin exported", type="zip", key="import")
        if upload is not None and st.button("Add its runs", key="import.go"):
            import_zip(upload.getvalue())
            redraw()
    bin_table = store.binned()
    with binned.popover(f"Bin ({len(bin_table)})", icon=":material/restore_from_trash:",
                        width="stretch"):  # fmt: skip
        names = dict(zip(bin_table["id"], bin_table["name"], strict=True))
        back = st.multiselect("Bring back", list(names), format_func=names.__getitem__)
        if st.button("Restore", disabled=not back):
            for run in back:
                store.restore(run)
            redraw()
        if st.button("Empty the bin for good", disabled=not names):
            store.empty_bin()
            redraw()


def export_zip(ids: list[str]) -> bytes:
    """The runs as one zip."""
    with tempfile.TemporaryDirectory() as folder:
        return run_store().export_zip(ids, Path(folder) / "runs.zip").read_bytes()


def import_zip(content: bytes) -> None:
    """Add the runs of an uploaded zip, all or none; shows why it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.zip"
        path.write_bytes(content)
        try:
            run_store().import_zip(path)
        except BasinError as error:
            show_error(error)
            st.stop()
