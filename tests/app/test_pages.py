"""Every page in Streamlit's AppTest, with nothing trained and with finished runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.runs import RunStore

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
ANALYSES = ("landscape", "curvature", "embeddings", "robustness")
PAGES = ("overview", "train", "runs", "compare", *ANALYSES)
DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"


def opened(page: str, dataset: str = DATA, tab: str = "") -> AppTest:
    """The page as a visitor sees it who opens a link to it, perhaps to one of its tabs."""
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = dataset
    test.run()
    if tab:
        test.session_state[page] = tab
    if page != "overview":
        test.switch_page(f"views/{page}.py").run()
    assert not test.exception, test.exception[0].message
    return test


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("nothing")
def test_every_page_opens_with_nothing_trained(page: str) -> None:
    test = opened(page)
    assert not test.error
    if page not in ("overview", "train"):
        assert "Nothing is trained yet" in test.info[0].value
        assert any(button.label == "Run the demonstration" for button in test.button)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("trained")
def test_every_page_shows_finished_runs_without_an_error(page: str) -> None:
    test = opened(page)
    assert not test.error
    assert not test.warning
    assert test.title[0].value
    assert any("Split: at random" in caption.value for caption in test.sidebar.caption)
    if page not in ("train", "runs"):
        assert len(test.get("plotly_chart")) >= 1
        assert any(
            trained_on in c.value for c in test.caption for trained_on in ("synthetic", "seed")
        )


@pytest.mark.parametrize("page", ANALYSES)
@pytest.mark.usefixtures("trained")
def test_results_of_the_default_settings_need_no_computing(page: str) -> None:
    assert not any(button.label.startswith("Compute") for button in opened(page).button)


@pytest.mark.usefixtures("trained")
def test_changed_settings_offer_to_compute() -> None:
    test = opened("landscape")
    test.number_input(key="slice.n_points").set_value(9).run()
    assert any(button.label == "Compute this slice" for button in test.button)


@pytest.mark.usefixtures("trained")
def test_the_strength_slider_changes_the_answer() -> None:
    test = opened("robustness")
    before = test.get("plotly_chart")[-1].proto.spec
    test.slider(key="strength.fgsm").set_value(0.9).run()
    assert not test.exception
    assert test.get("plotly_chart")[-1].proto.spec != before


@pytest.mark.usefixtures("nothing")
def test_a_dataset_path_that_is_none_shows_one_clear_error() -> None:
    test = opened("overview", "/no/such/folder")
    assert len(test.error) == 1
    assert "/no/such/folder does not exist" in test.error[0].value


def test_a_link_opens_the_same_runs(trained: RunStore) -> None:
    run = sorted(trained.list()["id"])[1]
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = DATA
    test.query_params["runs"] = run
    test.run()
    assert test.multiselect(key="runs").value == [run]


def test_a_name_star_and_note_typed_into_the_table_are_kept(trained: RunStore) -> None:
    import pandas as pd

    from app.panels.runs.runs_table import keep_changes

    run = sorted(trained.list()["id"])[0]
    row = {"id": run, "name": "plain", "note": "", "tags": [], "star": False}
    changed = {**row, "note": "the baseline", "star": True, "tags": ["first"]}
    keep_changes(pd.DataFrame([row]), pd.DataFrame([changed]))
    labels = trained.get(run).labels
    trained.get(run).label(note="", star=False, tags=[])
    assert (labels["note"], labels["star"], labels["tags"]) == ("the baseline", True, ["first"])


@pytest.mark.usefixtures("trained")
def test_the_ways_between_two_runs_are_offered_and_drawn() -> None:
    test = opened("landscape", tab="Between two runs")
    assert any(button.label == "Find the ways between them" for button in test.button)
    charts = len(test.get("plotly_chart"))
    test.number_input(key="path.n_steps").set_value(5)
    test.number_input(key="path.n_points").set_value(5).run()
    assert not test.exception
    assert len(test.get("plotly_chart")) == charts + 3  # train loss, validation loss, recall
    assert any("barriers in train loss" in caption.value for caption in test.caption)


@pytest.mark.usefixtures("trained")
def test_a_rewritten_run_shows_which_measures_move() -> None:
    test = opened("curvature", tab="What moves what")
    assert any(button.label == "Rewrite this run and measure" for button in test.button)
    test.number_input(key="symmetry.n_draws").set_value(1)
    test.number_input(key="symmetry.n_triples").set_value(200).run()
    assert not test.exception
    assert any("every user's order of items" in caption.value for caption in test.caption)
    test.text_input(key="symmetry.scales").set_value("0.5, -2").run()
    assert any("allowed is 0.0001" in error.value for error in test.error)


@pytest.mark.usefixtures("trained")
def test_settings_that_do_not_fit_leave_the_other_sections_standing() -> None:
    test = opened("landscape", tab="Contours and surfaces")
    test.number_input(key="slice.n_points").set_value(10).run()
    assert [error.value for error in test.error] == [
        "SliceConfig is not valid: n_points is 10; it must be odd, e.g. 25 or 51"
    ]
    assert len(test.get("plotly_chart")) == 1  # the profiles


@pytest.mark.usefixtures("trained")
def test_too_few_runs_for_a_correlation_are_told_what_to_do() -> None:
    test = opened("curvature", tab="Does flatness predict robustness?")
    assert any("a rank correlation needs at least 5" in info.value for info in test.info)


@pytest.mark.usefixtures("trained")
def test_an_attacked_item_climbs_and_its_ranks_are_tabled() -> None:
    test = opened("robustness", tab="Attack an item")
    assert not any("; 0 of 50 users newly have the item" in c.value for c in test.caption)
    test.slider(key="target.strength.fgsm").set_value(0.0).run()
    assert not test.exception
    assert any("; 0 of 50 users newly have the item" in c.value for c in test.caption)
    test.segmented_control(key="target.goal").set_value("demote").run()
    test.selectbox(key="target.way").set_value("pgd").run()
    assert not test.exception
    assert not test.error


@pytest.mark.usefixtures("trained")
def test_a_whole_category_is_attacked_at_once() -> None:
    test = opened("robustness", tab="Attack an item")
    test.segmented_control(key="target.what").set_value("a category").run()
    assert not test.exception
    assert not test.error
    assert "pixel_pgd" not in str(test.selectbox(key="target.way").options)
    chosen = test.selectbox(key="target.category").value
    assert any(f"products of category {chosen} alone" in c.value for c in test.caption)
    table = next(f.value for f in test.dataframe if "CHR@20: clean" in f.value)
    assert (table["CHR@20: perturbed"] >= table["CHR@20: clean"]).all()


@pytest.mark.usefixtures("trained")
def test_curves_are_shown_as_losses_and_paired_between_strategies() -> None:
    test = opened("robustness", tab="Which training?")
    assert any("keeps **" in text.value for text in test.markdown)
    test.segmented_control(key="curves.shown").set_value("share lost").run()
    assert not test.exception
    test.selectbox(key="paired.baseline").set_value("amr").run()
    assert not test.exception
    assert not test.error
    assert any("of plain minus that of amr" in c.value for c in test.caption)
    users = opened("robustness", tab="Which users?")
    assert any("who lost most first" in c.value for c in users.caption)


@pytest.mark.usefixtures("trained")
def test_an_attack_on_a_picture_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.panels.robustness.item_attack.find_spec", lambda name: None)
    test = opened("robustness", tab="Attack an item")
    test.selectbox(key="target.way").set_value("pixel_pgd").run()
    assert not test.exception
    assert any("pip install -e" in info.value for info in test.info)


@pytest.mark.usefixtures("trained")
def test_every_feature_perturbation_answers_over_its_whole_range() -> None:
    from engine.robustness import FEATURE_PERTURBATIONS

    test = opened("robustness")
    assert set(test.selectbox(key="kind").options) == {
        kind.title for kind in FEATURE_PERTURBATIONS.values()
    }
    for name in FEATURE_PERTURBATIONS:
        test.selectbox(key="kind").set_value(name).run()
        slider = test.slider(key=f"strength.{name}")
        for strength in (slider.min, slider.max):
            test.slider(key=f"strength.{name}").set_value(strength).run()
            assert not test.exception, name
            assert not test.error, name


@pytest.mark.usefixtures("nothing")
def test_words_that_went_and_came_are_marked() -> None:
    from app.panels.robustness.edits import changed_words, diff_html

    shown = diff_html("a red <cup> for tea", "a red for green tea")
    assert shown == "a red <del>&#60;cup&#62;</del> for <ins>green</ins> tea"
    assert changed_words("a red <cup> for tea", "a red for green tea") == (1, 1)


@pytest.mark.usefixtures("trained")
def test_edits_of_texts_are_shown_without_an_encoder() -> None:
    test = opened("robustness", tab="Edit a picture or text")
    test.segmented_control(key="edit.what").set_value("text").run()
    assert not test.exception
    assert any("Struck through" in caption.value for caption in test.caption)
    test.segmented_control(key="edit.what").set_value("picture").run()
    assert any("has a picture" in info.value for info in test.info)  # synthetic items have none


def test_a_slice_under_way_is_drawn_as_far_as_it_is_known(
    trained: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from engine.geometry import Slice
    from engine.studies.analysis_results import find_result

    whole = find_result(trained, "slice", sorted(trained.list()["id"]), {})
    assert isinstance(whole, Slice)
    known = whole.values_RQAB.copy()
    known[:, 0, 1::2] = known[:, 0, :, 1::2] = float("nan")
    known[:, 1] = float("nan")
    preview = replace(whole, values_RQAB=known)
    monkeypatch.setattr("app.panels.landscape.slices.is_under_way", lambda *_: True)
    monkeypatch.setattr("app.panels.landscape.slices.find_preview", lambda *_: preview)
    test = opened("landscape")
    charts = len(test.get("plotly_chart"))
    test.number_input(key="slice.n_triples").set_value(123).run()  # nothing kept for this
    assert not test.exception
    assert len(test.get("plotly_chart")) == charts
    assert any("13 × 13 of 25 × 25 points" in info.value for info in test.info)
    test.selectbox(key="quantity").set_value("valid_loss").run()
    assert any("0 × 0 of 25 × 25 points" in info.value for info in test.info)
    assert len(test.get("plotly_chart")) == charts - 1


@pytest.mark.usefixtures("trained")
def test_the_breakdown_by_item_group_follows_its_knobs() -> None:
    test = opened("robustness", tab="Which items?")
    assert any("Popular: the fifth" in caption.value for caption in test.caption)
    test.segmented_control(key="groups.cutoff").set_value(10).run()
    assert not test.exception
    assert any("among the user's first 10" in caption.value for caption in test.caption)


def test_group_shares_are_means_over_draws_then_seeds() -> None:
    import pandas as pd

    from engine.evaluation import item_group_means

    rows = [
        ("tail", "plain", run, strength, draw, value)
        for run, strength, draw, value in [
            ("a", 0.0, 0, 0.4), ("b", 0.0, 0, 0.6),
            ("a", 0.1, 0, 0.1), ("a", 0.1, 1, 0.3), ("b", 0.1, 0, 0.4), ("b", 0.1, 1, 0.4),
        ]
    ]  # fmt: skip
    names = ["group", "strategy", "run", "strength", "draw", "value"]
    row = item_group_means(pd.DataFrame(rows, columns=names), 0.1).iloc[0]
    assert (row["clean"], row["n_seeds"]) == (0.5, 2)
    assert row["perturbed"] == pytest.approx(0.3)
    assert row["low"] < 0.3 < row["high"]


@pytest.mark.usefixtures("trained")
def test_a_link_reproduces_every_control() -> None:
    links = {
        "landscape": {"landscape": "Contours and surfaces", "slice.n_points": "9"},
        "robustness": {
            "robustness": "Which training?", "curves.shown": "lost", "paired.baseline": "amr",
        },
        "train": {"preset": "mg", "train.mg.epochs": "7", "name.mg": "mine"},
    }  # fmt: skip
    for page, params in links.items():
        test = AppTest.from_file(str(MAIN), default_timeout=180)
        test.session_state["dataset"] = DATA
        test.run()
        for name, value in params.items():
            test.query_params[name] = value
        test.switch_page(f"views/{page}.py").run()
        assert not test.exception, test.exception[0].message
        assert not test.error, page
        for name, value in params.items():
            assert str(test.session_state[name]) == value, name
