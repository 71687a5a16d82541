"""Ended runs reach an MLflow server once, and a server in trouble never touches a run."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import jobs, run_here
from engine.runs import Run, RunStore
from engine.runs import mlflow_log as mlflow
from engine.studies.new_run import create_run
from engine.training import preset

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"
QUICK = {"epochs": 3, "batch_size": 256, "device": "cpu", "model.width": 8}


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (mlflow.TRACKING_URI, mlflow.EXPERIMENT_NAME, mlflow.USERNAME, mlflow.TOKEN):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def trained(store: RunStore) -> Run:
    run = create_run(store, DATA, preset("mg", QUICK), "mg")
    job = run_here(store, "train", {"run": run.id}, run_ids=[run.id])
    assert job.status().state == "finished", job.status().reason
    return run


class StandIn(ThreadingHTTPServer):
    """Keeps what it is sent, and answers as the documented API does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[str | None] = []
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.status = "RUNNING"
        self.trouble: tuple[int, bytes] | None = None

    def answer(self, path: str, values: dict[str, Any]) -> tuple[int, bytes]:
        self.calls.append((path, values))
        if self.trouble:
            return self.trouble
        if path == "experiments/get-by-name":
            number = self.experiments.get(values["experiment_name"])
            if number is None:
                return 404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}'
            return 200, json.dumps({"experiment": {"experiment_id": number}}).encode()
        if path == "experiments/create":
            self.experiments[values["name"]] = "7"
            return 200, b'{"experiment_id": "7"}'
        if path == "runs/search":
            known = [r for r in self.runs if f"'{r}'" in values["filter"]]
            return 200, json.dumps({"runs": known if self.status != "RUNNING" else []}).encode()
        if path == "runs/create":
            tags = {tag["key"]: tag["value"] for tag in values["tags"]}
            self.runs[tags[mlflow.RUN_TAG]] = "abc"
            return 200, b'{"run": {"info": {"run_id": "abc"}}}'
        if path == "runs/update":
            self.status = values["status"]
        return 200, b"{}"

    def sent(self, path: str) -> list[dict[str, Any]]:
        return [values for called, values in self.calls if called == path]


class Answers(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        split = urllib.parse.urlsplit(self.path)
        self._reply(split.path, dict(urllib.parse.parse_qsl(split.query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(self.path, json.loads(body))

    def _reply(self, path: str, values: dict[str, Any]) -> None:
        self.server.headers.append(self.headers.get("Authorization"))
        status, body = self.server.answer(path.removeprefix("/api/2.0/mlflow/"), values)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        monkeypatch.setenv(mlflow.TRACKING_URI, f"http://127.0.0.1:{made.server_address[1]}/")
        yield made
        made.shutdown()


def metrics_of(server: StandIn) -> dict[tuple[str, int], float]:
    batches = server.sent("runs/log-batch")
    return {(m["key"], m["step"]): m["value"] for b in batches for m in b.get("metrics", ())}


def test_a_finished_run_is_logged_with_config_metrics_and_provenance(
    store: RunStore, server: StandIn
) -> None:
    run = trained(store)
    (created,) = server.sent("runs/create")
    tags = {tag["key"]: tag["value"] for tag in created["tags"]}
    assert (created["experiment_id"], created["run_name"]) == ("7", "mg")
    assert tags["basin.fingerprint"] == run.provenance["dataset"]["fingerprint"]
    assert tags["basin.selected_by"] == "valid recall@20"
    params = {p["key"]: p["value"] for b in server.sent("runs/log-batch")
              for p in b.get("params", ())}  # fmt: skip
    assert params["stepper.name"] == "mirror-gradient"
    assert params["epochs"] == "3"
    found, summary = metrics_of(server), run.summary
    best = summary["best_epoch"]
    assert found["test.recall_at_20", best] == summary["test"]["recall@20"]
    assert found["gradient_passes", best] == summary["gradient_passes"]
    losses = [found["epoch/loss", epoch] for epoch in (1, 2, 3)]
    assert losses == run.events("epoch")["loss"].tolist()
    (ended,) = server.sent("runs/update")
    assert (ended["run_id"], ended["status"]) == ("abc", "FINISHED")
    assert "not logged" not in jobs(store)[0].log()


def test_a_run_is_logged_once(store: RunStore, server: StandIn) -> None:
    run = trained(store)
    before = metrics_of(server)
    mlflow.log_ended_runs(store, [run.id])
    assert len(server.sent("runs/create")) == 1
    assert sum("metrics" in b for b in server.sent("runs/log-batch")) == 1
    assert metrics_of(server) == before


def test_without_a_server_nothing_is_sent(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(mlflow, "Server", called.append)
    trained(store)
    assert called == []


def test_only_trainings_that_ended_are_logged(store: RunStore, server: StandIn) -> None:
    queued = store.create({}, {})
    mlflow.log_ended_runs(store, [queued.id])
    assert server.calls == []


@pytest.mark.parametrize(
    "trouble",
    [(500, b"<html>no</html>"), (403, b'{"error_code": "PERMISSION_DENIED"}'), (200, b"[1]"),
     (200, b"not json"), (200, b"{}")],
)  # fmt: skip
def test_a_server_in_trouble_is_one_warning_and_the_run_is_finished(
    store: RunStore, server: StandIn, trouble: tuple[int, bytes]
) -> None:
    server.trouble = trouble
    run = trained(store)
    assert (run.state, run.summary["best_epoch"] > 0) == ("finished", True)
    assert jobs(store)[0].log().count("was not logged to MLflow") == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [("http://127.0.0.1:1", "does not answer"), ("./mlruns", "http:// or https://"),
     ("http://", "http:// or https://")],
)  # fmt: skip
def test_an_address_without_a_server_is_one_warning(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv(mlflow.TRACKING_URI, address)
    assert trained(store).state == "finished"
    log = jobs(store)[0].log()
    assert log.count("was not logged to MLflow") == 1
    assert says in log


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:1/%zz", "[::1", ""])
def test_a_password_in_the_address_is_never_logged(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    run = store.create({}, {})
    with run.running():
        pass
    for scheme in ("http", "postgresql"):
        monkeypatch.setenv(mlflow.TRACKING_URI, f"{scheme}://ada:s3cret@{host}")
        mlflow.log_ended_runs(store, [run.id])
    assert caplog.text.count("was not logged to MLflow") == 2
    assert "s3cret" not in caplog.text


def test_a_password_in_the_address_is_sent(store: RunStore, server: StandIn) -> None:
    address = f"http://ada:secret@127.0.0.1:{server.server_address[1]}"
    mlflow.Server(address).call("runs/search", {"filter": ""})
    assert server.headers == ["Basic YWRhOnNlY3JldA=="]


def test_credentials_are_sent_as_the_server_asks(
    store: RunStore, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(mlflow.USERNAME, "ada")
    monkeypatch.setenv(mlflow.PASSWORD, "secret")
    trained(store)
    assert set(server.headers) == {"Basic YWRhOnNlY3JldA=="}
    assert "secret" not in jobs(store)[0].log()


def test_the_names_of_metrics_are_such_as_mlflow_allows() -> None:
    assert mlflow.name("test.recall@20") == "test.recall_at_20"
    assert mlflow.name("a(b)%") == "a_b__"
