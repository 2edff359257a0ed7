"""The sandbox as root and as a plain user has it.

`sandboxes(limits)` gives a sandbox with these limits, the same one each time: what a program left behind would be there
for the next. Where the tests run as root, the plain user's run in a process of uid 65534, with an interpreter and a
copy of the code that this user may read.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from evolray.evaluate.execution import Limits, Outputs, Ran, Sandbox

ROOT = Path(__file__).parents[3]
PLAIN_USER = 65534
INTERPRETERS = (Path(sys.base_prefix) / "bin/python3", "/usr/bin/python3", "/usr/local/bin/python3")
USABLE = "import sys; sys.exit(sys.version_info < (3, 11))"
SECRET_IN_ENVIRONMENT = "EVOLRAY_TEST_SECRET"


class Owner:
    """A process that has sandboxes."""

    def __init__(self, process: int) -> None:
        self.process = process

    def descendants(self) -> int:
        """How many processes it has started that still live, and those have started."""
        return len(psutil.Process(self.process).children(recursive=True))


class InThisProcess(Owner):
    def __init__(self, secret: str) -> None:
        super().__init__(os.getpid())
        self._sandboxes: dict[Limits, Sandbox] = {}
        os.environ[SECRET_IN_ENVIRONMENT] = secret

    def __call__(self, limits: Limits) -> Sandbox:
        if limits not in self._sandboxes:
            self._sandboxes[limits] = Sandbox(limits)
        return self._sandboxes[limits]

    def close(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()
        del os.environ[SECRET_IN_ENVIRONMENT]


class AsPlainUser(Owner):
    def __init__(self, interpreter: str, secret: str) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._folder.chmod(0o755)
        for name in ("__init__.py", "calling.py", "errors.py", "evaluate/__init__.py", "evaluate/execution"):
            source, copy = ROOT / "evolray" / name, self._folder / "evolray" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        shutil.copy(Path(__file__).with_name("as_plain_user.py"), self._folder)
        self._child = subprocess.Popen(
            [interpreter, "-B", str(self._folder / "as_plain_user.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
            user=PLAIN_USER, group=PLAIN_USER, extra_groups=[], umask=0o022,
            env={"PATH": os.environ["PATH"], SECRET_IN_ENVIRONMENT: secret},
        )  # fmt: skip
        super().__init__(self._child.pid)

    def __call__(self, limits: Limits) -> "PlainUsersSandbox":
        return PlainUsersSandbox(self, limits)

    def call(self, *message: Any) -> Any:
        assert self._child.stdin is not None and self._child.stdout is not None
        pickle.dump(message, self._child.stdin)
        self._child.stdin.flush()
        answer = pickle.load(self._child.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        with self._child:
            pass
        shutil.rmtree(self._folder)


class PlainUsersSandbox:
    def __init__(self, owner: AsPlainUser, limits: Limits) -> None:
        self._owner, self._limits = owner, limits

    def check(self, *arguments: Any, **keywords: Any) -> Ran:
        return self._owner.call(self._limits, "check", arguments, keywords)

    def outputs(self, *arguments: Any, **keywords: Any) -> Outputs:
        return self._owner.call(self._limits, "outputs", arguments, keywords)


def plain_users_interpreter() -> str | None:
    for interpreter in INTERPRETERS:
        try:
            done = subprocess.run(
                [interpreter, "-c", USABLE], user=PLAIN_USER, check=False, capture_output=True, cwd="/"
            )
        except OSError:
            continue  # it is not there, or not for this user
        if done.returncode == 0:
            return str(interpreter)
    return None


@pytest.fixture(scope="session")
def secret() -> str:
    return f"secret-{os.urandom(8).hex()}"


@pytest.fixture(scope="session", params=["root", "plain user"])
def sandboxes(request: pytest.FixtureRequest, secret: str) -> Iterator[Any]:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    is_root = os.getuid() == 0
    if request.param == "root" and not is_root:
        pytest.skip("the tests do not run as root")
    interpreter = plain_users_interpreter() if is_root and request.param == "plain user" else None
    if request.param == "plain user" and is_root and interpreter is None:
        pytest.skip(f"no Python of at least 3.11 that a plain user may start among {', '.join(map(str, INTERPRETERS))}")
    owner = AsPlainUser(interpreter, secret) if interpreter else InThisProcess(secret)
    yield owner
    owner.close()


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A new one of this process and user, with 1,000 MB and 16 processes."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    with Sandbox(Limits(memory_mb=1000)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandboxes: Any) -> Any:
    """With 1,000 MB and 16 processes."""
    return sandboxes(Limits(memory_mb=1000))
