"""What a report says: metrics with intervals, training, minima, robustness, settings, provenance.

Nothing is computed here: sections are made of what the runs keep, and what is missing is named with
the command that computes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from typing import cast

import pandas as pd

from app.charts import curves, learning, metrics, slices
from app.charts.curvature import spectrum
from app.charts.style import looks
from app.report.document import details, document, figure, heading, paragraph, table
from engine.foundation.errors import BasinError, RunError
from engine.foundation.result import Result
from engine.runs import Run, RunStore
from engine.runs.comparison.strategies import strategies_in

METRICS = ("recall@20", "ndcg@20")


def report_of(store: RunStore, run_ids: Sequence[str]) -> str:
    """The HTML text of a report of runs of one dataset.

    Raises RunError where a run is unknown, unfinished or of another dataset.
    """
    runs = [store.get(run_id) for run_id in sorted(set(run_ids))]
    unfinished = [run.name for run in runs if run.status.state != "finished"]
    if unfinished:
        raise RunError(f"{', '.join(unfinished)} did not finish; a report is of finished runs.")
    rows = store.list()
    rows = rows[rows["id"].isin([run.id for run in runs])].sort_values("id", ignore_index=True)
    if rows["fingerprint"].nunique() > 1:
        raise RunError(
            f"The runs are of {rows['fingerprint'].nunique()} datasets; a report is of one."
        )
    rows["group"] = strategies_in(rows)
    rows["label"] = _labels(rows)
    names = dict(zip(rows["id"], rows["label"], strict=True))
    dataset = str(rows["dataset"].iloc[0])
    title = f"Basin report: {', '.join(dict.fromkeys(rows['group']))} on {dataset}"
    blocks = [
        heading(title, 1),
        paragraph(
            f"{len(runs)} runs of dataset {dataset} (fingerprint {rows['fingerprint'].iloc[0]}), "
            f"made with Basin {version('basin')}. Every number is of the test split at the epoch "
            "that validation chose, all items ranked with the user's training items left out, "
            "unless it says otherwise."
        ),
        *_warnings(rows),
        *_metrics(store, rows),
        *_training(runs, names),
        *_minima(runs, names),
        *_robustness(runs),
        *_settings(runs, rows),
    ]
    return document(title, blocks)


def _labels(rows: pd.DataFrame) -> pd.Series:
    """Names that tell the runs apart: a name, with its seed where names repeat."""
    repeated = rows["name"].duplicated(keep=False)
    seeded = rows["name"] + ", seed " + rows["seed"].astype(str)
    labels = rows["name"].where(~repeated, seeded)
    return labels.where(~labels.duplicated(keep=False), labels + " " + rows["id"].str[-4:])


def _warnings(rows: pd.DataFrame) -> list[str]:
    single = [name for name, g in rows.groupby("group") if g["seed"].nunique() < 2]
    if not single:
        return []
    text = f"One seed of {', '.join(map(str, single))}: differences may be chance."
    return [paragraph(text, "warning")]


def _metrics(store: RunStore, rows: pd.DataFrame) -> list[str]:
    from engine.evaluation import metric_intervals
    from engine.runs.comparison.comparison_tables import (
        baseline_differences,
        seeds_table,
        strategies_table,
    )

    values = seeds_table(rows, METRICS)
    if values.empty:
        return [paragraph("The dataset has no test interactions, so there are no test metrics.")]
    intervals = metric_intervals(values, METRICS)
    groups = list(dict.fromkeys(values["group"]))
    style = looks(groups)
    blocks = [
        heading("Accuracy"),
        figure(metrics.metric_dots(intervals, values, METRICS, style), "Test metrics"),
        paragraph("Bars: 95 % interval over seeds (Student's t); none for one seed.", "caption"),
        table(intervals),
    ]
    if len(groups) < 2:
        return blocks
    baseline = "plain" if "plain" in groups else groups[0]
    strategies = dict(zip(values["id"], values["group"], strict=True))
    compared = strategies_table(store, strategies, METRICS[0], baseline)
    gaps = baseline_differences(compared)
    if len(gaps):
        drawn = metrics.paired_differences(gaps, baseline, METRICS[0], style)
        blocks += [heading(f"Difference to {baseline}"), figure(drawn, "Paired differences")]
        unclear = gaps[(gaps["over"] == "seeds") & (gaps["low"] <= 0) & (gaps["high"] >= 0)]
        if len(unclear):
            text = f"The interval over seeds holds zero for {', '.join(unclear['group'])}."
            blocks.append(paragraph(text, "warning"))
    return [*blocks, table(compared)]


def _training(runs: Sequence[Run], names: dict[str, str]) -> list[str]:
    epochs = {names[run.id]: run.events("epoch") for run in runs}
    config = runs[0].config
    metric = f"{config['validation_metric']}@{config['validation_cutoff']}"
    style = looks(list(epochs))
    return [
        heading("Training"),
        figure(learning.validation_curves(epochs, metric, style), "Validation by epoch"),
        figure(learning.loss_curves(epochs, style), "Loss by epoch"),
        paragraph(learning.learning_caption(epochs, metric), "caption"),
    ]


def _newest(runs: Sequence[Run], kind: str) -> dict[str, Result]:
    """The newest readable result of a kind in each run's folder, by run id."""
    from engine.studies.analysis_table import known_analysis

    results: dict[str, Result] = {}
    result_class = known_analysis(kind).result_class()
    for run in runs:
        for key in reversed(run.results(result_class.kind)):
            try:
                results[run.id] = run.load_result(result_class, key)
                break
            except BasinError:
                continue
    return results


def _missing(kind: str) -> str:
    return paragraph(f"Not computed: `python -m engine {kind} RUN ...` adds this section.")


def _minima(runs: Sequence[Run], names: dict[str, str]) -> list[str]:
    from engine.geometry import Curvature, Slice

    blocks = [heading("Minima")]
    spectra = {
        names[run]: cast("Curvature", result) for run, result in _newest(runs, "curvature").items()
    }
    if spectra:
        drawn = spectrum.extreme_eigenvalues(spectra, looks(list(spectra)))
        blocks += [
            figure(drawn, "Extreme Hessian eigenvalues"),
            paragraph(spectrum.spectrum_caption(spectra), "caption"),
            table(pd.concat([result.to_frame() for result in spectra.values()])),
        ]
    else:
        blocks.append(_missing("curvature"))
    sliced = list(_newest(runs, "slice").values())
    if sliced:
        result = cast("Slice", sliced[-1])
        quantity = result.quantities[0]
        draw = slices.slice_contours if result.dimensions == 2 else slices.slice_lines
        blocks += [
            figure(draw(result, quantity), "Loss landscape"),
            paragraph(result.caption, "caption"),
        ]
    else:
        blocks.append(_missing("slice"))
    return blocks


def _robustness(runs: Sequence[Run]) -> list[str]:
    from engine.robustness import RobustnessCurves, bands, summary

    kept = list(_newest(runs, "robustness").values())
    blocks = [heading("Robustness")]
    if not kept:
        return [*blocks, _missing("robustness")]
    result = cast("RobustnessCurves", kept[-1])
    metric = METRICS[0] if METRICS[0] in result.metrics else result.metrics[0]
    runs_frame = result.per_run(metric)
    frame = bands(runs_frame)
    titled = frame.replace({"perturbation": result.titles, "control_of": result.titles})
    return [
        *blocks,
        figure(curves.strength_curves(titled, metric), "Accuracy against strength"),
        paragraph(f"{curves.curves_caption(titled)} {result.caption}", "caption"),
        table(summary(runs_frame)),
        paragraph(
            "A flat curve is not robustness: compare each with what the same run scores with its "
            "features removed (the crosses).",
            "caption",
        ),
    ]


def _settings(runs: Sequence[Run], rows: pd.DataFrame) -> list[str]:
    from engine.runs.comparison.comparison_tables import settings_that_differ

    differing = settings_that_differ(rows)
    blocks = [heading("Settings that differ")]
    blocks.append(table(differing) if len(differing) else paragraph("None."))
    blocks.append(heading("Provenance"))
    for run in runs:
        text = json.dumps(
            {"config": run.config, "provenance": run.provenance, "summary": run.summary},
            indent=2, default=str,
        )  # fmt: skip
        blocks.append(details(f"{run.name} ({run.id})", f"<pre>{escape(text)}</pre>"))
    return blocks
