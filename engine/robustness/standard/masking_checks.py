"""Signs of gradient masking: attacks that fail do not show that a model is robust.

After the checklist of Athalye et al. (arXiv 1802.00420) and Carlini et al. (arXiv 1902.06705).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

COLUMNS = ["run", "label", "strategy", "seed", "strength", "check", "message"]


def masking_checks(runs: pd.DataFrame, attacks: Sequence[str], tolerance: float) -> pd.DataFrame:
    """The checks that spoke: run, label, strategy, seed, strength, check and message.

    ``runs`` is ``StandardAttacks.per_run``; ``tolerance`` the share of the clean accuracy by which
    a number must pass another. Checks, of runs whose scores see the features:

    - ``pgd-weaker-than-fgsm``: no PGD lowers accuracy as far as the single step does;
    - ``weaker-than-noise``: noise of equal norm lowers it further than the worst attack that sees
      the model;
    - ``no-fall``: strength 1 or more changes features by their own length, and nothing falls;
    - ``transfer-beats-white-box``: an attack made for another model does better than all that see
      this one.
    """
    rows = []
    white_box = [a for a in attacks if a not in ("transfer", "promotion")]
    climbing = [a for a in white_box if a != "fgsm"]
    for _, run in runs[runs["is_attackable"] & (runs["strength"] > 0)].iterrows():
        margin = tolerance * run["clean"]
        seen, pgd = run[white_box].min(), run[climbing].min()
        messages = {}
        if pgd > run["fgsm"] + margin:
            messages["pgd-weaker-than-fgsm"] = (
                f"the best of many steps leaves {pgd:.3f}, one step leaves {run['fgsm']:.3f}"
            )
        if seen > run["noise"] + margin:
            messages["weaker-than-noise"] = (
                f"the worst attack that sees the model leaves {seen:.3f}, noise of equal norm "
                f"{run['noise']:.3f}"
            )
        if run["strength"] >= 1 and run["worst"] > run["clean"] - margin:
            messages["no-fall"] = (
                f"at strength {run['strength']:g} the worst attack leaves {run['worst']:.3f} of "
                f"{run['clean']:.3f}: gradients may be masked, or the features hardly matter"
            )
        if run["transfer"] < seen - margin:
            messages["transfer-beats-white-box"] = (
                f"an attack made for the plain twin leaves {run['transfer']:.3f}, those that see "
                f"this model {seen:.3f}"
            )
        labels = {name: run[name] for name in COLUMNS[:5]}
        rows += [labels | {"check": c, "message": message} for c, message in messages.items()]
    return pd.DataFrame(rows, columns=COLUMNS)
