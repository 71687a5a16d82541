"""Which products' pictures or texts the loss is most sensitive to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.curvature.input_sharpness import sharpness_histogram
from app.charts.style import CONFIG
from app.selection.choice import Choice, open_dataset_of
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.geometry import Curvature

SHOWN = 8


def input_sharpness(results: Mapping[str, Curvature], choice: Choice) -> None:
    """How far the loss moves with each item's features: a histogram, and the items on top."""
    known = {label: r for label, r in results.items() if r.input_sharpness_MI.size}
    if not known:
        st.info("None of these models reads features.")
        return
    modalities = list(dict.fromkeys(m for r in known.values() for m in r.modalities))
    modality = st.segmented_control(
        "Modality",
        modalities,
        default=modalities[0],
        required=True,
        key="inputs.modality",
        bind="query-params",
    )
    with show_errors():
        titles = open_dataset_of(choice).items["title"]
        values = {
            label: r.input_sharpness_MI[r.modalities.index(modality)]
            for label, r in known.items()
            if modality in r.modalities
        }
        figure = sharpness_histogram(values, choice.looks)
        st.plotly_chart(figure, config=CONFIG, alt="Input sharpness of all items, by run")
        st.caption(
            f"{choice.dataset}, one seed a run. Length of the gradient of the loss on frozen "
            f"training triples by one item's {modality} features (nats a triple a unit of "
            "feature), one count an item. Items with many interactions weigh more in the loss. "
            "Far left: changing the features hardly moves the loss, because the model is robust "
            "or because it ignores them; the clean accuracy tells which."
        )
        table = pd.DataFrame(values).rename_axis("item").reset_index()
        table.insert(1, "title", titles.to_numpy())
        top = table.loc[np.argsort(-table[list(values)].max(axis=1).to_numpy())]
        st.dataframe(
            top.head(SHOWN), hide_index=True,
            column_config={n: st.column_config.NumberColumn(format="%.3g") for n in values},
        )  # fmt: skip
        st.caption(f"The {SHOWN} items with the largest value in any run.")
        table_and_csv(top, "input-sharpness", "All items")
