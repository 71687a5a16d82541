"""Schedulers that somebody else runs: which one is meant, whether it is safe, and who answers."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.foundation.errors import JobError

if TYPE_CHECKING:
    from distributed.security import Security

SCHEDULER = "BASIN_SCHEDULER"
ALLOW_INSECURE = "BASIN_ALLOW_INSECURE"
TLS_CA, TLS_CERT, TLS_KEY = "BASIN_TLS_CA", "BASIN_TLS_CERT", "BASIN_TLS_KEY"

EMBEDDED = "embedded"
"""In place of an address: the runs folder's own cluster, whatever ``BASIN_SCHEDULER`` says."""


def chosen_scheduler(named: str | None = None) -> str | None:
    """The outside scheduler to use: the one named, else ``BASIN_SCHEDULER``; None for 'embedded'
    and where none is named.

    Raises JobError where the address is not understood, or is unencrypted, leads to another machine
    and ``BASIN_ALLOW_INSECURE=1`` is not set; with it set, warns. Warns of an unencrypted one on
    this machine unless it is set, since other users reach it too.
    """
    address = named or os.environ.get(SCHEDULER) or ""
    if address in ("", EMBEDDED):
        return None
    parts = urlsplit(address)
    try:
        complete = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        complete = False
    if not complete:
        raise JobError(
            f"The scheduler is '{address}'; tls://HOST:PORT or tcp://HOST:PORT is needed, or "
            f"'{EMBEDDED}' for the cluster of the runs folder."
        )
    if parts.scheme == "tcp":
        is_trusted = os.environ.get(ALLOW_INSECURE) == "1"
        if _is_loopback(parts.hostname or ""):
            if not is_trusted:
                _warn(f"{address} is not encrypted: every user of this machine can run code as you")
        elif is_trusted:
            _warn(f"{address} is not encrypted: whoever reaches it can run any code as you")
        else:
            raise JobError(
                f"{address} is not encrypted: whoever reaches it can run any code as you. Use "
                f"tls:// (docs/cluster.md), or set {ALLOW_INSECURE}=1 on a network you trust."
            )
    return address


def _warn(text: str) -> None:
    warnings.warn(f"{text}; use tls:// (docs/cluster.md).", RuntimeWarning, stacklevel=4)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def security_from_environment(address: str) -> Security | None:
    """TLS credentials for an address: ``BASIN_TLS_CA``, ``_CERT`` and ``_KEY``, else Dask's config.

    They serve for every role, so that a script may start a scheduler or workers with them. None
    for tcp. Raises JobError where files are not named or missing.
    """
    from distributed.security import Security

    if not address.startswith("tls://"):
        return None
    files = {name: os.environ.get(name, "") for name in (TLS_CA, TLS_CERT, TLS_KEY)}
    if not any(files.values()):
        security: Any = Security(require_encryption=True)
        if not (security.tls_ca_file and security.tls_client_cert):
            raise JobError(
                f"{address} needs TLS credentials: set {TLS_CA}, {TLS_CERT} and {TLS_KEY} to the "
                "paths of PEM files (docs/cluster.md)."
            )
        return security
    for name, path in files.items():
        if not os.path.isfile(path):
            raise JobError(f"{name} is '{path}', which is not a file; a PEM file is needed.")
    ca, cert, key = files.values()
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{f"tls_{role}_cert": cert for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )


def identity_of(address: str, timeout: float = 2.0) -> str | None:
    """What tells a scheduler from another one at the same address; None where it does not say.

    It does not answer, or this process lacks the credentials. Nothing that it sends is unpickled.
    What is no scheduler may announce more bytes than there is memory.
    """
    from distributed.core import rpc

    async def ask() -> str:
        security = security_from_environment(address)
        arguments = security.get_connection_args("client") if security is not None else {}
        async with rpc(
            address, connection_args=arguments, deserialize=False, timeout=timeout
        ) as scheduler:
            return str((await scheduler.identity(n_workers=0))["id"])

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            chosen_scheduler(address)
        # A thread of its own: notebooks have an event loop in theirs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, asyncio.wait_for(ask(), timeout)).result()
    except (OSError, TimeoutError, ValueError, KeyError, MemoryError, JobError):
        return None
