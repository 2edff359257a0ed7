"""The command that starts an interpreter inside bubblewrap, and what of the host that interpreter sees.

Read-only: the interpreter and its standard library (at /python, wherever they are on the host, without their
site-packages), the system's shared libraries, the code of `inside/`, and packages that were asked for. Nothing else:
no home, no /etc, no commands, no devices but null, zero and the random ones. The environment is empty from the start,
since bubblewrap's own is readable in /proc.
"""

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from evolray.errors import UserError

HERE = Path(__file__).parent
DEVICES = ("null", "zero", "full", "random", "urandom")
INSTALL = "apt-get install bubblewrap"
INSIST = "execution.unsafe=true runs programs unguarded: they can then do whatever this user can, on the network too"
# Hashes of texts must not differ from run to run, nor a verdict with them.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LD_LIBRARY_PATH": "/python/lib"}


def interpreter_options(code: str) -> list[str]:
    return ["-S", "-s", "-P", "-B", "-c", code]


def start_code(folder: str, packages: str, is_isolated: bool) -> str:
    """Finds `inside` in a folder and forgets where it was, so that a program does not find it by its path."""
    return (
        f"import os, sys; os.environ.clear(); sys.path.insert(0, {folder!r}); from inside.zygote import main; "
        f"sys.path[0:1] = {[packages] if packages else []!r}; main({is_isolated})"
    )


def unsafe_command() -> list[str]:
    """The same without bubblewrap."""
    return [sys.executable, *interpreter_options(start_code(str(HERE), "", is_isolated=False))]


def find() -> str:
    """Where bubblewrap is. Raises UserError."""
    found = shutil.which("bwrap")
    if found is None:
        raise UserError(
            "bubblewrap (bwrap), which keeps the programs that a model wrote away from this machine, is not installed "
            f"here. Install it on every node: {INSTALL}. {INSIST}."
        )
    return found


def command(packages: Sequence[str]) -> list[str]:
    """Everything but the number of the control socket's file, which comes last. Raises UserError."""
    words = [
        find(), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox",
    ]  # fmt: skip
    if os.getuid() == 0:  # the zygote needs both once, to become a user who owns nothing
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for path in ("/usr", "/dev", "/code", "/packages", "/python", "/python/bin", "/python/lib", "/tmp", "/dev/shm"):
        words += ["--dir", path]  # else they are made for root's eyes only
    words += _shared_libraries()
    words += _interpreter()
    words += ["--ro-bind", str(HERE / "inside"), "/code/inside"]
    for package in packages:
        for folder in _package_folders(package):
            words += ["--ro-bind", str(folder), f"/packages/{folder.name}"]
    for device in DEVICES:
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    words += ["--proc", "/proc", "--remount-ro", "/", "--chdir", "/"]
    for name, value in ENVIRONMENT.items():
        words += ["--setenv", name, value]
    code = start_code("/code", "/packages" if packages else "", is_isolated=True)
    return [*words, "--", "/python/bin/python3", *interpreter_options(code)]


def _shared_libraries() -> list[str]:
    """The system's. Debian and its like keep them in a folder of their own, others among the rest of /usr/lib."""
    words: list[str] = []
    for top in ("/usr/lib", "/usr/lib64", "/lib", "/lib64"):
        own = f"{top}/{sysconfig.get_config_var('MULTIARCH')}"
        if os.path.islink(top):
            words += ["--symlink", os.readlink(top), top]
        elif os.path.isdir(own):
            words += ["--dir", top, "--ro-bind", own, own]
        elif os.path.isdir(top):
            words += ["--ro-bind", top, top]
    return words


def _interpreter() -> list[str]:
    """The interpreter that this one runs on, outside of any virtual environment."""
    prefix, library = Path(sys.base_prefix).resolve(), Path(sysconfig.get_path("stdlib")).resolve()
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    words = ["--ro-bind", str(executable), "/python/bin/python3"]
    if prefix in (Path("/usr"), Path("/usr/local")):  # a library folder that is not the interpreter's alone
        words += ["--ro-bind", str(library), f"/python/lib/{library.name}"]
        for shared in prefix.glob("lib/libpython3*.so*"):
            words += ["--ro-bind", str(shared.resolve()), f"/python/lib/{shared.name}"]
    else:
        words += ["--ro-bind", str(prefix / "lib"), "/python/lib"]
    for name in ("site-packages", "dist-packages"):
        if (library / name).is_dir():
            words += [
                "--tmpfs",
                f"/python/lib/{library.name}/{name}",
                "--remount-ro",
                f"/python/lib/{library.name}/{name}",
            ]
    return words


def _package_folders(package: str) -> list[Path]:
    """A package's folder, and the shared libraries that wheels put beside it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"the package {package}, which programs may import, is not installed here")
    folder = Path(next(iter(found.submodule_search_locations)))
    libraries = folder.parent / f"{package}.libs"
    return [folder, *([libraries] if libraries.is_dir() else [])]
