"""Ended runs are told to an MLflow server, where ``MLFLOW_TRACKING_URI`` names one.

Plain calls of MLflow's REST API (version 2.0), so that nothing needs to be installed. What goes
wrong here never touches a run: it is one warning in the log.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.foundation.errors import JobError
from engine.runs import Run, RunStore

TRACKING_URI = "MLFLOW_TRACKING_URI"
EXPERIMENT_NAME = "MLFLOW_EXPERIMENT_NAME"
USERNAME, PASSWORD, TOKEN = (
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
)  # fmt: skip

DEFAULT_EXPERIMENT = "basin"
TIMEOUT_SECONDS = 10.0
"""For one call."""

MOST_METRICS, MOST_PARAMS, MOST_TEXT = 500, 100, 500
"""What one call may hold: 1,000 values in all, 100 of them params, of 500 characters each."""

RUN_TAG = "basin.run"
"""The tag by which a run is found again, so that it is logged once."""

ENDED = ("FINISHED", "FAILED")
"""What MLflow calls a run that finished, and one that did not; written last of all."""

LOGGER = logging.getLogger("engine.runs.mlflow_log")


def log_ended_runs(store: RunStore, run_ids: Sequence[str]) -> None:
    """Tell the server of those runs that finished or diverged; never raises.

    Does nothing where no server is named. Whatever goes wrong is one warning.
    """
    address = os.environ.get(TRACKING_URI, "").strip()
    if not address:
        return
    try:
        server = Server(address)
        for run_id in run_ids:
            run = store.get(run_id)
            if run.state in ("finished", "diverged"):
                log_run(server, run)
    except Exception as error:  # whatever a server may answer
        LOGGER.warning("The run is whole, but was not logged to MLflow: %s", error)


class Server:
    """The REST API of one tracking server; raises JobError where it refuses or does not answer."""

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise JobError(
                f"{TRACKING_URI} is '{address}'; an http:// or https:// address of a server is "
                "needed (`mlflow server` starts one on a folder or database)."
            )
        self._base = address.rstrip("/") + "/api/2.0/mlflow/"
        self._headers = {"Content-Type": "application/json", **_authorisation()}

    def call(self, path: str, values: Mapping[str, Any], method: str = "POST") -> dict[str, Any]:
        """One call with a JSON body, or with a query where the method is GET."""
        url, body = self._base + path, None
        if method == "GET":
            url += "?" + urllib.parse.urlencode(values)
        else:
            body = json.dumps(values, allow_nan=False).encode()
        request = urllib.request.Request(url, body, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(path, error.code, error.read()) from None
        except urllib.error.URLError as error:
            raise JobError(f"{self._base} does not answer: {error.reason}") from None

    def experiment(self) -> str:
        """The id of the experiment that runs go to (``MLFLOW_EXPERIMENT_NAME``, else basin)."""
        name = os.environ.get(EXPERIMENT_NAME) or DEFAULT_EXPERIMENT
        for attempt in ("look", "make", "look again"):  # another process may make it meanwhile
            try:
                if attempt == "make":
                    return str(self.call("experiments/create", {"name": name})["experiment_id"])
                found = self.call("experiments/get-by-name", {"experiment_name": name}, "GET")
                return str(found["experiment"]["experiment_id"])
            except Refused as error:
                if error.code not in ("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"):
                    raise
        raise JobError(f"experiment '{name}' is neither there nor can it be made.")


class Refused(JobError):
    """The server answered with an error."""

    def __init__(self, path: str, status: int, body: bytes) -> None:
        try:
            said = json.loads(body)
            self.code, message = str(said["error_code"]), str(said.get("message", ""))
        except (ValueError, KeyError, TypeError):
            self.code, message = "", ""
        super().__init__(f"{path} was refused ({status} {self.code}): {message[:300]}")


def _authorisation() -> dict[str, str]:
    if token := os.environ.get(TOKEN):
        return {"Authorization": f"Bearer {token}"}
    if name := os.environ.get(USERNAME):
        pair = f"{name}:{os.environ.get(PASSWORD, '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def log_run(server: Server, run: Run) -> str:
    """Log one ended run, once; returns its id on the server. Raises JobError."""
    experiment, status = server.experiment(), run.status
    found = server.call(
        "runs/search",
        {
            "experiment_ids": [experiment],
            "filter": f"tags.`{RUN_TAG}` = '{run.id}'",
            "max_results": 1,
        },
    ).get("runs")
    if found:
        logged = str(found[0]["info"]["run_id"])
        if found[0]["info"].get("status") in ENDED:
            return logged
    else:
        made = server.call(
            "runs/create",
            {
                "experiment_id": experiment,
                "run_name": run.name,
                "start_time": _milliseconds(status.started),
                "tags": [{"key": key, "value": value} for key, value in _tags(run).items()],
            },
        )
        logged = str(made["run"]["info"]["run_id"])
    params = [{"key": name(k), "value": str(v)[:MOST_TEXT]} for k, v in flat(run.config)]
    for start in range(0, len(params), MOST_PARAMS):
        chunk = params[start : start + MOST_PARAMS]
        server.call("runs/log-batch", {"run_id": logged, "params": chunk})
    metrics = list(_metrics(run))
    for start in range(0, len(metrics), MOST_METRICS):
        chunk = metrics[start : start + MOST_METRICS]
        server.call("runs/log-batch", {"run_id": logged, "metrics": chunk})
    server.call(
        "runs/update",
        {
            "run_id": logged,
            "status": ENDED[status.state != "finished"],
            "end_time": _milliseconds(status.ended),
        },
    )
    return logged


def name(path: str) -> str:
    """A name as MLflow allows it: ``test.recall@20`` becomes ``test.recall_at_20``."""
    return re.sub(r"[^\w. :/-]", "_", path.replace("@", "_at_"))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values under dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _tags(run: Run) -> dict[str, str]:
    provenance, summary = run.provenance, run.summary
    dataset, code = provenance.get("dataset", {}), provenance.get("code", {})
    return {
        RUN_TAG: run.id,
        "basin.dataset": str(dataset.get("name", "")),
        "basin.fingerprint": str(dataset.get("fingerprint", "")),
        "basin.version": str(code.get("version", "")),
        "basin.state": run.state,
        "basin.selected_by": str(summary.get("selected_by", "")),
        "basin.tags": ", ".join(run.labels["tags"]),
    }


def _metrics(run: Run) -> Iterator[dict[str, Any]]:
    """Every number of the summary, at the chosen epoch, and of each epoch's event."""
    summary, ended = run.summary, _milliseconds(run.status.ended)
    best = int(summary.get("best_epoch") or 0)
    for key, value in flat(summary):
        if _is_number(value):
            yield {"key": name(key), "value": value, "timestamp": ended, "step": best}
    for event in run.events("epoch").to_dict("records"):
        moment, step = _milliseconds(str(event.pop("time"))), int(event.pop("epoch"))
        for column, value in event.items():
            if _is_number(value):
                called = f"epoch/{name(str(column))}"
                yield {"key": called, "value": float(value), "timestamp": moment, "step": step}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _milliseconds(moment: str) -> int:
    try:
        return int(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError:
        return 0
