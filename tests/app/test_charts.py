"""Charts from small results: what is drawn is what the result holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from app.charts import catalogue, learning, path, profiles, slices
from app.charts import curves as robustness
from app.charts import maps as embedding
from app.charts import metrics as comparison
from app.charts.curvature import flatness, spectrum, symmetry
from app.charts.curvature import input_sharpness as inputs
from app.charts.style import looks, ratio_ticks
from app.panels.curvature.flatness import flatness_by_strategy
from app.panels.curvature.spectrum import numbers_of_runs
from engine.embedding import AlignedEmbeddings
from engine.geometry import Curvature, LossProfiles, ModePath, Slice, flatness_table
from engine.robustness import RobustnessCurves, bands
from engine.runs import RunStore
from engine.studies.analysis_results import find_result


def results(store: RunStore, kind: str, runs: Sequence[str]) -> object:
    found = find_result(store, kind, runs, {})
    assert found is not None
    return found


@pytest.fixture
def runs(trained: RunStore) -> list[str]:
    return sorted(trained.list()["id"])


@pytest.fixture
def plane(trained: RunStore, runs: list[str]) -> Slice:
    found = results(trained, "slice", runs)
    assert isinstance(found, Slice)
    return found


def axis_titles(figure: go.Figure) -> list[str]:
    return [
        a.title.text
        for a in (*figure.select_xaxes(), *figure.select_yaxes())
        if a.title.text is not None
    ]


def test_every_run_has_its_profile_and_parabola(trained: RunStore, runs: list[str]) -> None:
    result = results(trained, "profile", runs)
    assert isinstance(result, LossProfiles)
    figure = profiles.profile_curves(result)
    lines = [t for t in figure.data if t.name]
    np.testing.assert_allclose([t.y for t in lines], result.sharpest_RX)
    dotted = [t for t in figure.data if t.line.width == 1]
    np.testing.assert_allclose([t.y for t in dotted], result.parabolas())


def test_compared_contours_share_one_colour_scale_and_the_same_levels(plane: Slice) -> None:
    figure = slices.slice_contours(plane, "train_loss")
    contours = [trace for trace in figure.data if trace.type == "contour"]
    assert len(contours) == 2
    assert {trace.coloraxis for trace in contours} == {"coloraxis"}
    assert len({(t.contours.start, t.contours.end, t.contours.size) for t in contours}) == 1
    values = plane.values_RQAB[:, plane.quantities.index("train_loss")]
    assert figure.layout.coloraxis.cmin == 0  # each run's rise above its own lowest point
    assert figure.layout.coloraxis.cmax == pytest.approx(np.ptp(values, axis=(1, 2)).max())
    assert set(axis_titles(figure)) == {"direction 1", "direction 2"}
    assert any("shared by all runs" in note.text for note in figure.layout.annotations)


def test_compared_surfaces_share_colours_and_heights(plane: Slice) -> None:
    figure = slices.slice_surfaces(plane, "valid_loss")
    ranges = {tuple(scene.zaxis.range) for scene in figure.select_scenes()}
    assert len(ranges) == 1
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}


def test_a_relative_line_is_zero_at_the_runs_own_weights(plane: Slice) -> None:
    figure = slices.slice_lines(plane, "train_loss", relative=True)
    for trace in figure.data:
        assert trace.y[len(trace.y) // 2] == pytest.approx(0, abs=1e-5)
    assert "nats a triple" in " ".join(axis_titles(figure))


def test_runs_on_a_line_through_them_are_named_where_they_lie(plane: Slice) -> None:
    marked = replace(
        plane, labels=["a – b"], values_RQAB=plane.values_RQAB[:1],
        marks_M2=np.array([[0.0, 0.0], [1.0, 0.0]]), mark_labels=["a", "b"],
    )  # fmt: skip
    figure = slices.slice_lines(marked, "train_loss")
    assert [line.x0 for line in figure.layout.shapes] == [0.0, 1.0]
    assert [note.text for note in figure.layout.annotations] == ["a", "b"]


def test_true_losses_of_a_trajectory_stand_beside_the_line(plane: Slice) -> None:
    walked = replace(
        plane, trajectory_run_N=np.array([1, 1]), trajectory_N2=np.array([[0.5, 0.0], [0.0, 0.0]]),
        trajectory_loss_N=np.array([0.9, 0.7]), trajectory_surface_N=np.array([0.8, 0.6]),
    )  # fmt: skip
    points = [t for t in slices.slice_lines(walked, "train_loss").data if t.mode == "markers"]
    assert [list(p.y) for p in points] == [[0.9, 0.7]]
    (way,) = (t for t in slices.slice_surfaces(walked, "train_loss").data if t.type == "scatter3d")
    floor = plane.values_RQAB[1, plane.quantities.index("train_loss")].min()
    heights = [None if z is None else z + floor for z in way.z]
    # Each true loss, then the surface's, above the same zero as the surface.
    assert heights == pytest.approx([0.9, 0.8, None, 0.7, 0.6, None])
    top = slices.slice_surfaces(walked, "train_loss").layout.scene.zaxis.range[1]
    assert top >= 0.9 - floor - 1e-9
    assert not [
        t for t in slices.slice_surfaces(walked, "valid_loss").data if t.type == "scatter3d"
    ]
    assert not [t for t in slices.slice_lines(walked, "valid_loss").data if t.mode == "markers"]


@pytest.fixture
def curvatures(trained: RunStore, runs: list[str]) -> dict[str, Curvature]:
    """The curvature of each run."""
    found = {run: results(trained, "curvature", [run]) for run in runs}
    return {run: r for run, r in found.items() if isinstance(r, Curvature)}


def test_eigenvalue_bars_show_both_ends_and_hatch_what_has_not_converged(
    curvatures: dict[str, Curvature],
) -> None:
    figure = spectrum.extreme_eigenvalues(curvatures)
    for result, trace in zip(curvatures.values(), figure.data, strict=True):
        ends = [*result.top_eigenvalues_K, *result.bottom_eigenvalues_K]
        np.testing.assert_allclose(trace.y, ends)
        assert trace.x[-1] == "-1"
        assert set(trace.marker.pattern.shape) == {""}
    first = next(iter(curvatures))
    half = replace(
        curvatures[first],
        top_errors_K=np.array([0.0, 0.0, 0.5, 0.5, 0.5]),
        has_converged=False,
        unconverged=["eigenvalues", "block items"],
    )
    bars = spectrum.extreme_eigenvalues({first: half}).data[0]
    assert list(bars.marker.pattern.shape) == ["", "", "/", "/", "/", ""]
    assert "ran out: eigenvalues, block items" in spectrum.spectrum_caption({first: half})
    assert "ran out" not in spectrum.spectrum_caption(curvatures)
    assert "no minimum" in spectrum.spectrum_caption(curvatures)
    assert spectrum.spectral_density(curvatures).layout.yaxis.type == "log"
    invariant = spectrum.spectral_density(curvatures, invariant=True)
    assert "score²" in invariant.layout.xaxis.title.text


def test_each_block_and_the_whole_have_a_point_and_numbers_their_error(
    curvatures: dict[str, Curvature],
) -> None:
    first, result = next(iter(curvatures.items()))
    points = spectrum.block_eigenvalues(curvatures).data[0]
    assert dict(zip(points.y, points.x, strict=True)) == {
        "all weights": result.top_eigenvalues_K[0],
        **result.blocks,
    }
    numbers = numbers_of_runs(curvatures).set_index("quantity")[first]
    assert numbers["trace"] == f"{result.trace:.4g} ± {result.trace_error:.2g}"
    assert numbers["of them for the eigenvalues"] == str(result.products["eigenvalues"])


def test_flatness_over_seeds_has_its_interval_and_a_single_seed_none(
    curvatures: dict[str, Curvature],
) -> None:
    known = list(curvatures.values())
    other = known[1].provenance | {"seed": 1}
    known[1] = replace(known[1], provenance=other)
    table = flatness_table([*known, known[0]], ["plain", "plain", "amr"])
    amr, plain = (
        next(t for t in flatness.measures_against(table, "amr").data if t.name == name)
        for name in ("amr", "plain")
    )
    assert (amr.error_x.visible, plain.error_x.visible) == (False, True)
    np.testing.assert_allclose(amr.x, 1.0)
    row = table[(table["measure"] == "trace") & (table["strategy"] == "plain")].iloc[0]
    place = list(plain.text).index("trace")
    assert not set(plain.y) & set(amr.y)  # bars lie side by side
    own = known[0].trace
    assert plain.x[place] == pytest.approx(row["mean"] / own)
    assert plain.error_x.array[place] == pytest.approx((row["high"] - row["mean"]) / own)
    wide = flatness_by_strategy(table)
    assert list(wide["may be compared"]) == sorted(wide["may be compared"], reverse=True)
    cell = wide.set_index("measure").loc["trace", "plain (2 seeds)"]
    assert cell == f"{row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
    assert "[" not in wide.set_index("measure").loc["trace", "amr"]


def test_robustness_panels_start_at_the_clean_value(trained: RunStore, runs: list[str]) -> None:
    curves = results(trained, "robustness", runs)
    assert isinstance(curves, RobustnessCurves)
    table = bands(curves.per_run("recall@20"))
    figure = robustness.strength_curves(table, "recall@20")
    clean = table[table["strength"] == 0].groupby("strategy")["mean"].first()
    for trace in figure.data:
        if trace.name in clean:
            assert trace.x[0] == 0
            assert trace.y[0] == pytest.approx(clean[trace.name])
    assert "one seed" in robustness.curves_caption(table)


def test_crosses_are_what_is_left_without_features(trained: RunStore, runs: list[str]) -> None:
    curves = results(trained, "robustness", runs)
    assert isinstance(curves, RobustnessCurves)
    table = bands(curves.per_run("recall@20"))
    main = table[(table["control_of"] == "") & (table["strength"] == 0)]
    for shown, expected in (
        ("accuracy", main["removed"]),
        ("lost", main["mean"] - main["removed"]),
    ):
        figure = robustness.strength_curves(table, "recall@20", shown=shown)
        crosses = [t for t in figure.data if t.marker.symbol == "x-thin"]
        assert sorted(t.y[0] for t in crosses) == pytest.approx(sorted(expected))
        lines = [t for t in figure.data if t.mode == "lines+markers"]
        assert all(t.y[0] == 0 for t in lines) == (shown == "lost")
        bands_drawn = [t for t in figure.data if t.fill == "toself"]
        assert all(t.mode == "lines" for t in bands_drawn)


def test_who_gains_nothing_by_features_is_said_in_a_sentence() -> None:
    table = pd.DataFrame([{"strategy": "amr", "modality": "image", "kept": 0.99}])
    said = robustness.indifference_warning(table, "recall@20")
    assert said.startswith("amr keeps 99% of its recall@20 with image features removed.")
    assert robustness.indifference_warning(table[:0], "recall@20") == ""


def test_maps_draw_every_point_of_every_run(trained: RunStore, runs: list[str]) -> None:
    maps = results(trained, "align", runs)
    assert isinstance(maps, AlignedEmbeddings)
    n = len(maps.ids)
    about = pd.DataFrame(
        {
            "item": maps.ids,
            "title": [f"item {i}" for i in maps.ids],
            "category": [f"kind {i % 14}" for i in maps.ids],
            "popularity": np.arange(n),
            "noise": ["image" if i % 7 == 0 else "" for i in maps.ids],
        }
    )
    for way in ("category", "popularity", "noise"):
        figure = embedding.embedding_maps(list(maps.coordinates), maps.labels, about, way)
        assert sum(len(trace.x) for trace in figure.data) == n * len(runs)
        assert {trace.type for trace in figure.data} == {"scattergl"}


@pytest.mark.parametrize(
    ("values", "digits"), [([0.1, 0.2], 3), ([0.33, 0.3304], 5), ([0.5, 0.5], 3), ([0.5], 3)]
)
def test_ticks_have_as_many_digits_as_tell_them_apart(values: list[float], digits: int) -> None:
    assert comparison._tick_format(pd.Series(values)) == f".{digits}~f"


def test_metric_dots_leave_the_bar_out_for_one_seed() -> None:
    values = pd.DataFrame(
        {"group": ["a", "a", "b"], "seed": [0, 1, 0], "recall@20": [0.1, 0.2, 0.3]}
    )
    rows = [("a", "recall@20", 0.15, 0.05, 0.25, 2), ("b", "recall@20", 0.3, np.nan, np.nan, 1)]
    table = pd.DataFrame(rows, columns=["group", "metric", "mean", "low", "high", "n"])
    figure = comparison.metric_dots(table, values, ["recall@20"])
    assert [t.error_x.visible for t in figure.data[1::2]] == [True, False]


def test_a_run_keeps_its_look_in_every_chart(plane: Slice) -> None:
    given = looks(["x", *plane.labels])
    figure = slices.slice_lines(plane, "train_loss", given)
    for label, trace in zip(plane.labels, figure.data, strict=True):
        assert trace.line.color == given[label].colour


def test_learning_curves_mark_the_chosen_epoch(trained: RunStore, runs: list[str]) -> None:
    epochs = {run: trained.get(run).events("epoch") for run in runs}
    figure = learning.validation_curves(epochs, "recall@20")
    marked = [trace for trace in figure.data if trace.mode == "markers"]
    assert [int(t.x[0]) for t in marked] == [trained.get(r).summary["best_epoch"] for r in runs]


def test_mirror_half_steps_are_drawn_for_the_runs_that_made_them() -> None:
    plain = pd.DataFrame({"epoch": [1, 2], "loss": [0.6, 0.5]})
    down = plain.assign(ascent_cosine=[-0.5, -0.3], share_uphill=[0.1, 0.3])
    up = plain.assign(ascent_cosine=[1.0, 1.0], share_uphill=[1.0, 1.0])
    epochs = {"plain": plain, "mg, seed 0": down, "mg, seed 1": down, "mg-sgd": up}
    found = learning.mirror_runs(epochs)
    assert list(found) == ["mg, seed 0", "mg, seed 1", "mg-sgd"]
    figure = learning.mirror_curves(found, "ascent_cosine")
    assert [list(trace.y) for trace in figure.data] == [[-0.5, -0.3], [-0.5, -0.3], [1.0, 1.0]]
    assert figure.layout.shapes[0].y0 == 0.0
    assert learning.mirror_curves(found, "share_uphill").layout.shapes[0].y0 == 0.5
    assert "mg -0.40 and 20%; mg-sgd +1.00 and 100%" in learning.mirror_caption(found)


def test_many_runs_share_one_legend_entry_and_colour_a_name(
    trained: RunStore, runs: list[str]
) -> None:
    frame = trained.get(runs[0]).events("epoch")
    epochs = {f"{name}, seed {s}": frame for name in ("plain", "amr") for s in range(5)}
    for figure in (learning.loss_curves(epochs), learning.validation_curves(epochs, "recall@20")):
        lines = [trace for trace in figure.data if trace.mode == "lines"]
        assert [t.name for t in lines if t.showlegend] == ["plain", "amr"]
        assert len(lines) == 10
        assert len({t.line.color for t in lines}) == 2


def test_the_long_tail_is_sorted_and_titled() -> None:
    figure = catalogue.long_tail(np.array([1, 5, 3]), pd.Series(["a", "b", "c"]))
    assert list(figure.data[0].y) == [5, 3, 1]
    assert list(figure.data[0].customdata) == ["b", "c", "a"]
    assert axis_titles(figure) == ["item, by popularity (rank)", "training interactions"]


def test_charts_import_no_streamlit() -> None:
    code = (
        "import sys, app.charts.slices, app.charts.maps, app.charts.curves, "
        "app.charts.curvature.spectrum, app.charts.learning, app.charts.metrics, "
        "app.charts.catalogue; "
        "sys.exit('streamlit' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=300, check=False).returncode == 0


@pytest.mark.parametrize(
    ("low", "high"), [(0.97, 1.04), (0.7, 1.3), (0.5, 1.2), (0.2, 3), (0.9, 260), (1e-5, 10)]
)
def test_a_logarithmic_axis_has_a_few_round_ticks_wherever_it_reaches(
    low: float, high: float
) -> None:
    ticks, texts = ratio_ticks(low, high)
    assert 2 <= len(ticks) <= 10
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)
    assert any(tick == pytest.approx(1) for tick in ticks)
    assert all(len(text) <= 6 for text in texts)
    assert [float(text) for text in texts] == pytest.approx(ticks)


def test_what_runs_share_is_written_in_lines_that_a_telephone_shows(plane: Slice) -> None:
    figure = slices.slice_contours(plane, "train_loss")
    (note,) = (n.text for n in figure.layout.annotations if "shared by all runs" in n.text)
    assert max(map(len, note.split("<br>"))) <= slices.NARROW


def test_each_way_between_two_runs_is_drawn_from_end_to_end() -> None:
    places = np.linspace(0, 1, 3)
    losses = np.array([[1.0, 4.0, 2.0], [1.0, 1.2, 2.0]])
    nothing = np.full((2, 3), np.nan)
    found = ModePath(
        places_T=places, train_loss_CT=losses, valid_loss_CT=nothing, valid_recall_CT=losses / 9,
        cutoff=10, curves=["straight line", "Bezier curve"], labels=["a", "b"], runs=["1", "2"],
    )  # fmt: skip
    figures = path.ways_between(found)
    assert list(figures) == ["Train loss (nats a triple)", "Validation recall@10"]
    for trace, values in zip(figures["Train loss (nats a triple)"].data, losses, strict=True):
        np.testing.assert_array_equal(trace.y, values)
        np.testing.assert_array_equal(trace.x, places)


def test_every_item_is_counted_once_in_the_histogram_of_input_sharpness() -> None:
    values = {"plain": np.geomspace(1e-4, 1e-2, 50), "amr": np.geomspace(1e-5, 1e-3, 50)}
    figure = inputs.sharpness_histogram(values)
    assert [sum(trace.y) for trace in figure.data] == [50, 50]


def test_measures_that_may_be_compared_stand_out_among_those_that_move() -> None:
    from engine.geometry import Symmetry

    values = np.array([[2.0, 2.001], [1.0, 17.0]])
    result = Symmetry(
        label="plain", run="1", transformations=["none", "scale"], parameters=["", "c = 4"],
        measures=["invariant_trace", "trace"], values_MC=values, errors_MC=np.zeros((2, 2)),
        score_changes_C=np.zeros(2),
    )  # fmt: skip
    (cells,) = symmetry.changes_by_transformation(result).data
    assert list(cells.y) == ["<b>invariant trace</b>", "trace"]
    assert [row[0] for row in cells.text] == ["0.0%", "×17"]


@pytest.mark.parametrize(("count", "has_legend"), [(8, True), (9, False)])
def test_a_scatter_of_many_strategies_keeps_its_room(count: int, has_legend: bool) -> None:
    from app.charts.curvature.correlation import runs_scatter

    table = pd.DataFrame(
        {
            "strategy": [f"s{i}" for i in range(count)],
            "label": [f"run {i}" for i in range(count)],
            "clean_accuracy": 0.2,
            "trace": np.arange(1.0, count + 1),
            "drop fgsm both": 0.1,
        }
    )
    figure = runs_scatter(table, "trace", "drop fgsm both")
    assert figure.layout.showlegend is has_legend
    assert len(figure.data) == count


def test_each_runs_curvature_is_drawn_over_its_epochs() -> None:
    from app.charts.curvature.along_training import measure_by_epoch
    from engine.geometry import TrainingCurvature

    result = TrainingCurvature(
        label="plain", run="1", measures=["top_eigenvalue"], epochs_N=np.array([2, 4]),
        values_MN=np.array([[0.1, 0.3]]), losses_N=np.ones(2), gradient_norms_N=np.ones(2),
        temperatures_N=np.ones(2),
    )  # fmt: skip
    figure = measure_by_epoch({"plain": result}, "top_eigenvalue")
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([2, 4], [0.1, 0.3])
    assert "nats / weight²" in figure.layout.yaxis.title.text
