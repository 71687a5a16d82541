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
from engine.runs.run import Run
from engine.runs.store import RunStore

TRACKING_URI = "MLFLOW_TRACKING_URI"
EXPERIMENT_NAME = "MLFLOW_EXPERIMENT_NAME"
USERNAME, PASSWORD, TOKEN = (
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
)  # fmt: skip

TIMEOUT_SECONDS = 10.0
"""For one call."""

MOST = {"params": 100, "metrics": 500}
"""What one call may hold; a param has 500 characters at most."""

RUN_TAG = "basin.run"
"""The tag by which a run is found again, so that it is logged once."""

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
        for run in map(store.get, run_ids):
            if run.state in ("finished", "diverged"):
                server.log(run)
    except Exception as error:  # whatever a server may answer
        LOGGER.warning("The run is whole, but was not logged to MLflow: %s", error)


class Server:
    """The REST API of one tracking server; raises JobError where it refuses or does not answer.

    A user and password in the address are sent as credentials, and shown nowhere.
    """

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("http", "https") or not host:
            raise JobError(
                f"{TRACKING_URI} is no http:// or https:// address of a server, which is needed "
                "(`mlflow server` starts one on a folder or database)."
            )
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api/2.0/mlflow/"
        user = os.environ.get(USERNAME) or urllib.parse.unquote(parts.username or "")
        password = os.environ.get(PASSWORD) or urllib.parse.unquote(parts.password or "")
        self._headers = {"Content-Type": "application/json"}
        if token := os.environ.get(TOKEN):
            self._headers["Authorization"] = f"Bearer {token}"
        elif user:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def call(self, path: str, values: Mapping[str, Any], method: str = "POST") -> dict[str, Any]:
        """One call with a JSON body, or with a query where the method is GET; {} for a 404."""
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
                if error.code == 404:
                    return {}
                says = error.read()[:300].decode("utf-8", "replace")
                raise JobError(f"{path} was refused ({error.code}): {says}") from None
        except urllib.error.URLError as error:
            raise JobError(f"{self._base} does not answer: {error.reason}") from None

    def log(self, run: Run) -> None:
        """Log one ended run, unless it is there already. Raises JobError."""
        name_of_experiment = os.environ.get(EXPERIMENT_NAME) or "basin"
        named = {"experiment_name": name_of_experiment}
        known = self.call("experiments/get-by-name", named, "GET")
        known = known.get("experiment") or self.call(
            "experiments/create", {"name": name_of_experiment}
        )
        place, status = str(known["experiment_id"]), run.status
        tag = f"tags.`{RUN_TAG}` = '{run.id}' and attributes.status != 'RUNNING'"
        if self.call("runs/search", {"experiment_ids": [place], "filter": tag}).get("runs"):
            return
        tags = [{"key": key, "value": value} for key, value in _tags(run).items()]
        start = _milliseconds(status.started)
        about = {"experiment_id": place, "run_name": run.name, "start_time": start, "tags": tags}
        run_id = str(self.call("runs/create", about)["run"]["info"]["run_id"])
        params = [{"key": name(k), "value": str(v)[:500]} for k, v in flattened_values(run.config)]
        for what, values in (("params", params), ("metrics", list(_metrics(run)))):
            for first in range(0, len(values), MOST[what]):
                batch = {"run_id": run_id, what: values[first : first + MOST[what]]}
                self.call("runs/log-batch", batch)
        state = "FINISHED" if status.state == "finished" else "FAILED"
        end = {"run_id": run_id, "status": state, "end_time": _milliseconds(status.ended)}
        self.call("runs/update", end)


def name(path: str) -> str:
    """A name as MLflow allows it: ``test.recall@20`` becomes ``test.recall_at_20``."""
    return re.sub(r"[^\w. :/-]", "_", path.replace("@", "_at_"))


def flattened_values(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values under dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened_values(value, f"{prefix}{key}.")
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
    for key, value in flattened_values(summary):
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
