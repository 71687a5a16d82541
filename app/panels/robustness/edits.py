"""What an edit does to one picture or text, for the eye."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import streamlit as st

from app.charts.text import escape
from app.widgets.config_form import config_form
from app.widgets.error_boundary import show_errors
from app.widgets.items import cards
from app.widgets.items.item_picker import pick_item

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.robustness import PerturbationConfig


@st.fragment
@show_errors()
def pictures_and_texts(dataset: Dataset) -> None:
    """One item's picture or text before and after a chosen edit."""
    from engine.robustness import PICTURE_PERTURBATIONS, TEXT_PERTURBATIONS, PictureEditConfig

    what = st.segmented_control(
        "Look at",
        ["picture", "text"],
        default="picture",
        required=True,
        key="edit.what",
        bind="query-params",
    )
    kinds: dict[str, type[PerturbationConfig]] = dict(TEXT_PERTURBATIONS)
    if what == "picture":
        every = PICTURE_PERTURBATIONS.items()
        kinds = {name: kind for name, kind in every if issubclass(kind, PictureEditConfig)}
    left, right = st.columns([1, 3], gap="large")
    with left:
        item = pick_item(dataset, f"edit.{what}.item", needs_picture=what == "picture")
    if item is None:
        st.info(f"No item of {escape(dataset.name)} has a picture.")
        return
    with right:
        picker, knob = st.columns(2, vertical_alignment="bottom")
        name = picker.selectbox(
            "Edit",
            list(kinds),
            format_func=lambda n: kinds[n].title,
            key=f"edit.{what}",
            bind="query-params",
        )
        with picker.popover("Its settings", icon=":material/tune:", width="stretch"):
            config = config_form(
                kinds[name], f"edit.{name}", hidden={"items", "modalities"}, columns=2
            )
        if config is None:
            return
        largest = float(config.strength_limit or config.strengths[-1])
        strength = knob.slider(
            "Strength", 0.0, largest, float(config.strengths[2]), largest / 50,
            key=f"edit.strength.{name}", bind="query-params", help=config.strength_unit,
        )  # fmt: skip
        knob.caption(f"Strength: {config.strength_unit}.")
        if what == "picture":
            _picture(dataset, config, strength, item)
        else:
            _text(dataset, config, strength, item)


def _picture(dataset: Dataset, config: object, strength: float, item: int) -> None:
    from engine.robustness import PictureEditConfig, picture_edit

    assert isinstance(config, PictureEditConfig)
    change = picture_edit(dataset, config, strength, item)
    cards.three_pictures(change)
    st.caption(
        f"{escape(dataset.name)}, 224 x 224 pixels as the encoder sees them. {change.caption}"
    )


def _text(dataset: Dataset, config: object, strength: float, item: int) -> None:
    from engine.robustness import TextConfig

    assert isinstance(config, TextConfig)
    row = dataset.items.iloc[item]
    text = ". ".join(part for part in (str(row["title"]), str(row["description"])) if part)
    edited = config.edited_text(dataset, text, item, strength)
    st.html(f"<style>{DIFF_STYLE}</style><p class='basin-diff'>{diff_html(text, edited)}</p>")
    gone, come = changed_words(text, edited)
    st.caption(
        f"{escape(dataset.name)}, one draw. Struck through: words that went ({gone}); underlined: "
        "those "
        f"that came ({come}); of {len(text.split())}. What it does to features depends on the "
        "encoder; the curves below show it where the encoders' extra is installed."
    )


DIFF_STYLE = """.basin-diff {line-height:1.6;} .basin-diff del {color:#C84729;}
.basin-diff ins {color:#00AB50; text-decoration:underline;}"""


def diff_html(before: str, after: str) -> str:
    """The words of both texts as HTML: those that went as <del>, those that came as <ins>."""
    parts = []
    for kind, old, new in _opcodes(before, after):
        if kind == "equal":
            parts.append(escape(" ".join(old)))
            continue
        if old:
            parts.append(f"<del>{escape(' '.join(old))}</del>")
        if new:
            parts.append(f"<ins>{escape(' '.join(new))}</ins>")
    return " ".join(parts)


def changed_words(before: str, after: str) -> tuple[int, int]:
    """How many words went, and how many came."""
    changes = [(old, new) for kind, old, new in _opcodes(before, after) if kind != "equal"]
    return sum(len(old) for old, _ in changes), sum(len(new) for _, new in changes)


def _opcodes(before: str, after: str) -> list[tuple[str, list[str], list[str]]]:
    old, new = before.split(), after.split()
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    return [(kind, old[a:b], new[c:d]) for kind, a, b, c, d in matcher.get_opcodes()]
