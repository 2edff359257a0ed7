"""Ray jobs: each one process that runs evolray on one config.

The job server is the one of `address`, else of RAY_API_SERVER_ADDRESS, else that of the cluster that all stages use
(the one this process is in, that of RAY_ADDRESS, or one that was started on this machine), else one that is started
for this run. Where the server checks tokens, as Ray does by default, the client takes the token from RAY_AUTH_TOKEN,
RAY_AUTH_TOKEN_PATH or Ray's own file, with RAY_AUTH_MODE=token.

A job runs with this very interpreter where its node has one at the same path, else with `python`; `working_dir` comes
first among what it can import. It gets the environment of the cluster, not that of this process: keys of endpoints
belong there. Nothing secret is part of a command, of metadata or of a runtime environment, which the dashboard shows.
"""

import contextlib
import logging
import math
import os
import shlex
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import ray
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from evolray.cluster.jobs.job import Job, Listed, Request
from evolray.cluster.jobs.own_ray import own_ray
from evolray.cluster.on_ray import RAY_SETTINGS
from evolray.errors import EvolrayError, UserError

logger = logging.getLogger("evolray")

T = TypeVar("T")

SERVER = "RAY_API_SERVER_ADDRESS"  # wins over whatever the client is given
PATIENCE_SECONDS = 600.0  # with a server that does not answer: its machine may have to be replaced
LATE_SECONDS = 20.0  # until somebody is told of it
STOPPING_SECONDS, AFTER_STOP_SECONDS = 10.0, 30.0  # the patience of whoever has just stopped a job, and for how long
# A job's processes get SIGTERM and this long to end by themselves (Ray's 3 s are too few for a training's checkpoint).
JOB_STOP_SECONDS = 600
PAUSE_SECONDS, CONNECT_SECONDS = 1.0, 5.0


@contextlib.contextmanager
def job_server(address: str | None) -> Iterator["JobServer"]:
    """Raises UserError when there is no job server, or it wants a token."""
    with contextlib.ExitStack() as stack:
        ray_address = None
        if address or os.environ.get(SERVER):
            client = _connect(address)
        elif ray.is_initialized():
            # Said to the jobs, since Ray has them take any cluster that runs on their node.
            ray_address = ray.get_runtime_context().gcs_address
            client = _connect(None, ray_address)
        elif cluster := cluster_address():
            client = _connect(None, cluster)
        else:
            own = stack.enter_context(own_ray(RAY_SETTINGS))
            client = _connect(own.url, headers=own.headers)
        yield JobServer(client, ray_address)


class JobServer:
    """Calls are repeated for PATIENCE_SECONDS while the server does not answer, or its part that starts jobs is not up.

    Raises EvolrayError when it does not answer for so long, UserError when it wants another token.
    """

    def __init__(self, client: JobSubmissionClient, ray_address: str | None = None) -> None:
        self._client, self._ray_address = client, ray_address
        self._stopped = -math.inf

    @property
    def url(self) -> str:
        return self._client.get_address()

    def submit(self, request: Request) -> None:
        """Raises UserError for a working directory that cannot be sent."""

        sent = {"working_dir": request.working_dir} if request.working_dir else {}

        def submit() -> None:
            try:
                self._client.submit_job(
                    entrypoint=self._entry_point(request.words),
                    submission_id=request.id,
                    metadata=dict(request.metadata),
                    runtime_env={**sent, "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(JOB_STOP_SECONDS)}},
                    entrypoint_num_cpus=request.cpus or None,
                    entrypoint_num_gpus=request.gpus or None,
                    entrypoint_resources=dict(request.resources) or None,
                )
            except RuntimeError:
                if self._look(request.id) is None:  # else the server took it, and only its answer was lost
                    raise
            except ValueError as error:
                raise UserError(f"working_dir={request.working_dir}: {_first_line(error)}") from None

        self._patiently(submit)

    def look(self, job: str) -> Job | None:
        return self._patiently(lambda: self._look(job))

    def stop(self, job: str) -> None:
        """The next calls do not wait long for a server that does not answer."""
        self._stopped = time.monotonic()
        with contextlib.suppress(RuntimeError, OSError):  # it has ended meanwhile, or there is nobody to ask
            self._client.stop_job(job)

    def log(self, job: str) -> str:
        """What there is of it; it may have gone with its node."""
        try:
            return str(self._client.get_job_logs(job))
        except (RuntimeError, OSError) as error:
            return f"(its log cannot be had: {_first_line(error)})"

    def all(self) -> list[Listed]:
        """Every job that was submitted to this server, and that it still knows of; the oldest first."""
        found = self._patiently(self._client.list_jobs)
        listed = [
            Listed(
                id=one.submission_id,
                state=str(one.status.value).lower(),
                command=one.entrypoint,
                metadata=one.metadata or {},
                started=one.start_time / 1000 if one.start_time else None,
                ended=one.end_time / 1000 if one.end_time else None,
                message=_ending(one.status, one.driver_exit_code, one.message or ""),
            )
            for one in found
            if one.submission_id
        ]
        return sorted(listed, key=lambda one: one.started or 0.0)

    def _look(self, job: str) -> Job | None:
        try:
            found = self._client.get_job_info(job)
        except RuntimeError as error:
            if "status code 404" in str(error):
                return None
            raise
        return Job(
            has_ended=found.status.is_terminal(),
            has_succeeded=found.status == JobStatus.SUCCEEDED,
            is_pending=found.status == JobStatus.PENDING,
            found_no_place=found.error_type == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT",
            exit_code=found.driver_exit_code,
            message=_ending(found.status, found.driver_exit_code, found.message or ""),
        )

    def _entry_point(self, words: Sequence[str]) -> str:
        """Ray hands it to a shell."""
        address = f"RAY_ADDRESS={shlex.quote(self._ray_address)} " if self._ray_address else ""
        python = f'"$(command -v {shlex.quote(sys.executable)} || command -v python)"'
        return f"exec env {address}{python} {shlex.join(words)}"

    def _patiently(self, call: Callable[[], T]) -> T:
        started = time.monotonic()
        patience = STOPPING_SECONDS if started - self._stopped < AFTER_STOP_SECONDS else PATIENCE_SECONDS
        is_told = False
        while True:
            try:
                return call()
            except AuthenticationError as error:
                raise _no_token(error) from None
            except (RuntimeError, OSError) as error:
                waited = time.monotonic() - started
                if waited > LATE_SECONDS and not is_told:
                    is_told = True
                    logger.warning("the job server does not answer (%s); waiting for it", _first_line(error))
                if waited > patience:
                    raise EvolrayError(
                        f"the job server has not answered for {patience:g} s ({_first_line(error)}). Jobs that "
                        "run go on; the same command takes them up."
                    ) from None
                time.sleep(PAUSE_SECONDS)


def cluster_address() -> str | None:
    """Where `ray.init` would connect to: RAY_ADDRESS, or what the last `ray start` on this machine has left, if it
    still runs."""
    if (address := os.environ.get("RAY_ADDRESS")) and address != "local":
        return address
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    with contextlib.suppress(OSError, ValueError):
        address = (Path(folder) / "ray" / "ray_current_cluster").read_text().strip()
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        return address
    return None


def _connect(
    address: str | None, ray_address: str | None = None, headers: Mapping[str, str] | None = None
) -> JobSubmissionClient:
    """`address` is that of a job server and wins over the environment, which wins over `ray_address`, a cluster's."""
    logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.WARNING)
    before = os.environ.get(SERVER)
    if address:
        os.environ[SERVER] = address
    try:
        return JobSubmissionClient(ray_address, headers=dict(headers or {}))
    except AuthenticationError as error:
        raise _no_token(error) from None
    except (RuntimeError, OSError, ValueError) as error:  # ConnectionError is among them
        raise UserError(
            f"no job server at {address or before or ray_address} ({_first_line(error)}). Expected that of a Ray with "
            "its dashboard, for example address=http://127.0.0.1:8265."
        ) from None
    finally:
        if address:
            os.environ.pop(SERVER)
            os.environ.update({SERVER: before} if before else {})


def _no_token(error: Exception) -> UserError:
    return UserError(
        f"the job server refuses this client's token ({_first_line(error)}). Set RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's."
    )


def _ending(status: JobStatus, exit_code: int | None, message: str) -> str:
    if status == JobStatus.STOPPED:
        return "its job was stopped"
    if exit_code is not None and exit_code < 0:
        return f"its job was killed by signal {-exit_code}"
    return f"its job ended with exit code {exit_code}" if exit_code is not None else _first_line(message)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
