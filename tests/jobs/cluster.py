"""A Ray of three nodes with a job server that checks tokens, in a process of its own; jobs submitted by Ray's own
command."""

import ast
import contextlib
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]

# A Ray that takes jobs, for as long as its standard input is open. Other Rays on this machine must not get in between:
# it takes free ports, where `ray.init` would insist on one of them, and keeps its address where its jobs look first.
# It prints its address once it has taken a job, since the part that starts them comes up last, and Ray itself waits for
# it for only ten seconds per request.
SCRIPT = """
import sys
from ray._private.utils import write_ray_address
from ray.cluster_utils import Cluster
from ray.job_submission import JobSubmissionClient

folder, nodes = sys.argv[1], int(sys.argv[2])
ports = {"dashboard_port": 0, "dashboard_agent_listen_port": 0}
head = {"num_cpus": 2, "include_dashboard": True, "temp_dir": folder, **ports}
cluster = Cluster(initialize_head=True, head_node_args=head)
for _ in range(nodes - 1):
    cluster.add_node(num_cpus=1, dashboard_agent_listen_port=0)
write_ray_address(cluster.address, folder)
address = f"http://{cluster.webui_url}"
for attempts_left in reversed(range(10)):
    try:
        JobSubmissionClient(address).submit_job(entrypoint="true")
        break
    except RuntimeError:
        if not attempts_left:
            raise
print(address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def documented_command(job: Path) -> list[str]:
    """The words of the command in a job's docstring."""
    docstring = ast.get_docstring(ast.parse(job.read_text()))
    assert docstring
    lines = [line for line in docstring.splitlines() if line.strip().startswith("ray job submit")]
    assert len(lines) == 1
    return shlex.split(lines[0])


class JobCluster:
    """What a user has at hand: `ray`, the address of the job server, the token."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def run(self, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def submit(self, *words: str, working_dir: str = ".", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """`ray job submit --working-dir . -- WORDS`; returns when the job has ended, with its log in stdout."""
        return self.run("ray", "job", "submit", "--working-dir", working_dir, "--", *words, cwd=cwd)


@contextlib.contextmanager
def job_cluster(nodes: int = 3) -> Iterator[JobCluster]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    environment.pop("RAY_ADDRESS", None)
    with (
        TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,  # tmp_path is too long for sockets
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, folder, str(nodes)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "the cluster did not start"
        yield JobCluster(environment | {"RAY_API_SERVER_ADDRESS": address})
        process.stdin.close()
