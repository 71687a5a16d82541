"""Where the embedded cluster of a runs folder is, and how it is woken.

``<root>/.cluster/`` (for this user only) holds ``owner.json``, ``address.json`` with the
scheduler's address and its temporary TLS credentials, and ``cluster.log``. Queued jobs lie as empty
files in ``<root>/.jobs/.queue/``; the cluster looks there, so that submitting needs no connection.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.foundation.errors import JobError
from engine.runs.ownership import Owner, is_alive
from engine.runs.records import read_record_or, writing

if TYPE_CHECKING:
    from distributed.security import Security

    from engine.runs import RunStore

CLUSTER_NAME = ".cluster"
JOBS_NAME = ".jobs"
QUEUE_NAME = ".queue"

IDLE_SECONDS = 900.0
"""After so long without a job the embedded cluster ends."""


@dataclass(frozen=True)
class Cluster:
    """A scheduler to connect to, and the credentials it asks for."""

    address: str
    credentials: dict[str, str] = field(repr=False)
    """PEM texts of ``certificate`` and ``key``; both for every role."""

    def security(self) -> Security:
        """The credentials as Dask takes them; imports distributed."""
        from distributed.security import Security

        certificate, key = self.credentials["certificate"], self.credentials["key"]
        roles = ("client", "scheduler", "worker")
        return Security(
            require_encryption=True,
            tls_ca_file=certificate,
            **{f"tls_{role}_cert": certificate for role in roles},
            **{f"tls_{role}_key": key for role in roles},
        )


def cluster_folder(root: Path) -> Path:
    """The cluster's folder, made for this user only; raises JobError where it cannot be."""
    folder = root / CLUSTER_NAME
    with writing(folder, JobError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (root / JOBS_NAME / QUEUE_NAME).mkdir(parents=True, exist_ok=True)
    return folder


def cluster_owner(root: Path) -> Owner | None:
    """The process that was last the cluster of a runs folder, dead or alive."""
    record = read_record_or(root / CLUSTER_NAME / "owner.json", {}, JobError)
    return Owner.from_record(record.get("owner"))


def cluster_is_alive(root: Path) -> bool:
    return is_alive(cluster_owner(root), root / CLUSTER_NAME)


def find_cluster(root: Path) -> Cluster | None:
    """The living embedded cluster, if it is ready to be connected to."""
    record = read_record_or(root / CLUSTER_NAME / "address.json", {}, JobError)
    owner = Owner.from_record(record.get("owner"))
    if owner is None or owner != cluster_owner(root) or not cluster_is_alive(root):
        return None
    return Cluster(record["address"], record["credentials"])


_started: list[subprocess.Popen[bytes]] = []
"""Clusters that this process started, kept so that they are reaped when they end."""


def wake_cluster(store: RunStore) -> Owner:
    """Make sure that an embedded cluster is there or starting; does not wait for it.

    Returns the process that is, or will be, the cluster. When several processes start one at once,
    one stays and the others end by themselves. Raises JobError where it cannot be started.
    """
    owner = cluster_owner(store.root)
    if owner is not None and cluster_is_alive(store.root):
        return owner
    folder = cluster_folder(store.root)
    _started[:] = [process for process in _started if process.poll() is None]
    command = [sys.executable, "-m", "engine.cluster", "cluster", "--runs", str(store.root)]
    with writing(folder, JobError), open(folder / "cluster.log", "ab") as log:
        os.fchmod(log.fileno(), 0o600)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started.append(process)
    return Owner.of(process.pid)


def ensure_cluster(store: RunStore, timeout: float = 60.0) -> Cluster:
    """The embedded cluster, started if need be, once its scheduler answers.

    Raises JobError where it does not come up within ``timeout`` seconds.
    """
    starter = wake_cluster(store)
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        if (cluster := find_cluster(store.root)) is not None:
            return cluster
        if not starter.exists and not cluster_is_alive(store.root):
            break
        time.sleep(0.05)
    log = store.root / CLUSTER_NAME / "cluster.log"
    raise JobError(f"The embedded cluster did not start; {log} tells why.")
