"""What is left of each run's accuracy under the worst of the attacks that curves measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = [
    "run", "label", "strategy", "clean", "worst", "kept", "removed", "attack", "strength",
]  # fmt: skip


def worst_attack_kept(runs: pd.DataFrame, strength: float) -> pd.DataFrame:
    """One row a run: run, label, strategy, clean, worst, kept, removed, attack, strength.

    ``runs`` is the table of ``RobustnessCurves.per_run``. Attacks are the perturbations that have a
    random control; where none was measured, all perturbations. Of each, the largest measured
    strength up to ``strength`` counts, else its smallest; ``worst`` is the least value among them,
    ``kept`` its share of ``clean``, ``removed`` the value without the features it hit.
    """
    measured = runs[(runs["control_of"] == "") & (runs["strength"] > 0)]
    attacks = set(runs["control_of"]) - {""}
    if attacks:
        measured = measured[measured["perturbation"].isin(attacks)]
    rows = []
    for _, run in measured.groupby("run", sort=False):
        at = []
        for _, line in run.groupby(["perturbation", "modality"], sort=False):
            within = line[line["strength"] <= strength + 1e-9]
            at.append(within.iloc[-1] if len(within) else line.iloc[0])
        worst = min(at, key=lambda row: float(row["value"]))
        clean = float(worst["clean"])
        rows.append(
            {
                "run": worst["run"], "label": worst["label"], "strategy": worst["strategy"],
                "clean": clean, "worst": float(worst["value"]),
                "kept": float(worst["value"]) / clean if clean > 0 else np.nan,
                "removed": float(worst["removed"]), "attack": worst["perturbation"],
                "strength": float(worst["strength"]),
            }
        )  # fmt: skip
    columns = [
        "run",
        "label",
        "strategy",
        "clean",
        "worst",
        "kept",
        "removed",
        "attack",
        "strength",
    ]
    return pd.DataFrame(rows, columns=columns)
