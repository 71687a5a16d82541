"""Maps of products or users, one a run, coloured by what is known about each point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.maps import HOVER_LINES, ColourBy, embedding_maps
from app.charts.style import CONFIG
from app.charts.text import escape, short
from app.panels.embeddings.hover import hover_pictures
from app.selection.choice import Choice, open_dataset_of
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.answers import ONE_SEED
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.items.thumbnails import picture_paths, picture_sheet
from engine.foundation.result import Result

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.embedding import AlignedEmbeddings, Embedding


def maps_of_runs(choice: Choice) -> None:
    """The settings, then the maps of the chosen runs with pictures under the pointer."""
    dataset = open_dataset_of(choice)
    kind = "align" if len(choice.ids) > 1 else "embed"
    top = st.container()
    with st.expander("Settings of the maps", icon=":material/tune:"):
        config = config_form(config_class(kind), kind, columns=3)
    if config is None:
        return
    with top:
        results = results_or_offer(run_store(), kind, choice.ids, config, "Compute these maps")
    maps = maps_in(results, choice)
    if maps is None:
        return
    with top:
        _draw(dataset, maps, choice)


def _draw(dataset: Dataset, maps: Maps, choice: Choice) -> None:
    """The answer, the maps, and what they are coloured by."""
    answer, picture = st.container(), st.container()
    answer.markdown(maps.finding)
    about = facts(dataset, maps)
    way = _colour_by(about, maps.points)
    figure = embedding_maps(maps.coordinates, maps.labels, about, way)
    figure.update_traces(hoverinfo="none", hovertemplate=None)
    sheet = picture_sheet(picture_paths(dataset.items)) if maps.points == "item" else None
    alt = maps.finding.replace("**", "")
    picture.plotly_chart(figure, config=CONFIG, key="map", alt=alt)
    hover_pictures("map", sheet, HOVER_LINES)
    st.caption(f"{choice.dataset}, one seed a run. {escape(maps.caption)}")
    table_and_csv(maps.table, "embedding")


def _colour_by(about: pd.DataFrame, points: str) -> ColourBy:
    """What the points are coloured by, of what is known about them."""
    names = {
        "category": "Category",
        "popularity": "Popularity" if points == "item" else "Activity",
        "noise": "Misleading on purpose",
    }
    ways = [way for way in names if way == "popularity" or (about[way] != "").any()]
    way = st.segmented_control(
        "Colour by", ways, default=ways[0], required=True, format_func=names.__getitem__,
        key="colour", bind="query-params",
    )  # fmt: skip
    return cast("ColourBy", way or ways[0])


@dataclass(frozen=True)
class Maps:
    """Maps of the same points in one or several runs."""

    coordinates: list[np.ndarray]
    """[n, 2] each."""
    labels: list[str]
    ids: np.ndarray
    points: str
    """'item' or 'user'."""
    caption: str
    table: pd.DataFrame
    finding: str
    """What the maps answer, in a sentence."""


def maps_in(results: Mapping[tuple[str, ...], Result], choice: Choice) -> Maps | None:
    """One view of what was computed: aligned maps of all runs, or one map a run."""
    from engine.embedding import AlignedEmbeddings, Embedding

    single = [result for result in results.values() if isinstance(result, Embedding)]
    if single:
        labels = [choice.labels[runs[0]] for runs in results]
        tables = [r.to_frame().assign(run=name) for r, name in zip(single, labels, strict=True)]
        caption = single[0].caption
        if len(single) > 1:
            caption += " Each run has a map of its own: compare neighbourhoods, not places."
        return Maps(
            [result.coordinates for result in single], labels, single[0].ids, single[0].points,
            caption, pd.concat(tables, ignore_index=True), _kept_on_the_map(single[0]),
        )  # fmt: skip
    for result in results.values():
        if isinstance(result, AlignedEmbeddings):
            labels = choice.labels_of(choice.ids, result.labels)
            return Maps(
                list(result.coordinates), labels, result.ids, result.points, result.caption,
                result.to_frame(), _agreement(result, labels),
            )  # fmt: skip
    return None


def facts(dataset: Dataset, maps: Maps) -> pd.DataFrame:
    """One row a point: item (or -1), title, category, popularity, noise."""
    if maps.points == "user":
        activity = np.bincount(dataset.train.users, minlength=dataset.n_users)
        return pd.DataFrame(
            {
                "item": -1,
                "title": [f"user {i}" for i in maps.ids],
                "category": "",
                "popularity": activity[maps.ids],
                "noise": "",
            }
        )
    items = dataset.items.iloc[maps.ids]
    return pd.DataFrame(
        {
            "item": maps.ids,
            "title": items["title"].to_numpy(),
            "category": items["category"].str.split("|").str[0].to_numpy(),
            "popularity": dataset.popularity[maps.ids],
            "noise": items["noise"].to_numpy(),
        }
    )


def _kept_on_the_map(embedding: Embedding) -> str:
    return (
        f"Of each {embedding.points}'s neighbours on this map, most are neighbours in the model "
        f"too (trustworthiness {embedding.trustworthiness:.2f}, 1 is all)."
    )


def _agreement(maps: AlignedEmbeddings, labels: list[str]) -> str:
    """How many true neighbours the runs have in common, and which two differ most."""
    n = len(labels)
    pairs = [(maps.overlap[a, b], a, b) for a in range(n) for b in range(a + 1, n)]
    least, a, b = min(pairs)
    mean = sum(share for share, _, _ in pairs) / len(pairs)
    return (
        f"Of each {maps.points}'s nearest neighbours, two of these runs have "
        f"**{mean:.0%}** in common on average; least alike are **{escape(short(labels[a]))}** and "
        f"**{escape(short(labels[b]))}** ({least:.0%}).{ONE_SEED}"
    )
