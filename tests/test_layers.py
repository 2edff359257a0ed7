"""Who may import whom: the table that keeps the method readable without the engine, enforced file by file.

A file that no rule covers fails: a new stage adds its line to `RULES`. The first rule whose pattern fits counts.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "evolray").rglob("*.py"))
JOBS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "jobs").glob("*.py"))
MOST_JOB_LINES = 40


@dataclass(frozen=True)
class Rule:
    """`allowed` beside the standard library: a package covers what is in it, "evolray" alone the whole of ours.

    `lazily` names what may be imported inside the given function only, and for type checkers: such an import is paid
    for by whoever calls that function. `never` takes parts of the standard library away again.
    """

    pattern: str
    allowed: tuple[str, ...] = ()
    lazily: Mapping[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()


METHOD = ("evolray.records", "evolray.errors", "evolray.method")
TEACHERS = ("evolray.errors", "evolray.records", "evolray.method.teacher", "evolray.teachers")
POOL = ("evolray.errors", "evolray.records", "evolray.config", "evolray.pool", "pyarrow", "yaml")
CLUSTER = ("evolray.cluster", "evolray.config", "evolray.errors", "ray", "psutil")
MODEL_FOLDER = ("evolray.errors", "evolray.pool.layout", "evolray.pool.scratch", "pyarrow")
ENGINE = (
    "evolray.cluster", "evolray.config", "evolray.errors", "evolray.records", "evolray.method.teacher",
    "evolray.teachers", "evolray.pool", "evolray.display", "evolray.engine", "rich",
)  # fmt: skip
EVOLVE = (*ENGINE, "evolray.method", "evolray.evolve")
TRAIN = (
    "evolray.cluster", "evolray.config", "evolray.errors", "evolray.records", "evolray.pool", "evolray.chat",
    "evolray.checkpoints", "evolray.display", "evolray.quiet", "evolray.train", "numpy", "psutil", "pyarrow", "rich",
    "yaml", "torch", "transformers", "tokenizers", "trl", "deepspeed", "datasets", "peft", "tensorboardX", "accelerate",
)  # fmt: skip
SAMPLING = (
    *ENGINE, "evolray.chat", "evolray.checkpoints", "evolray.model_folder", "evolray.sampling", "numpy", "pyarrow",
)  # fmt: skip
MODELS = (*SAMPLING, "evolray.quiet", "torch", "transformers", "tokenizers", "vllm")
EVALUATE = (
    "evolray.cluster", "evolray.config", "evolray.errors", "evolray.records", "evolray.pool", "evolray.display",
    "evolray.checkpoints", "evolray.chat", "evolray.sampling", "evolray.evaluate", "numpy", "pyarrow", "rich",
)  # fmt: skip
SWEEP = (
    "evolray.cluster", "evolray.config", "evolray.errors", "evolray.pool.layout", "evolray.pool.manifest",
    "evolray.checkpoints", "evolray.display", "evolray.sweep", "rich",
)  # fmt: skip
PIPELINE = (
    "evolray.cluster", "evolray.config", "evolray.errors", "evolray.pool.layout", "evolray.pool.manifest",
    "evolray.pool.seed_formats", "evolray.display", "evolray.pipeline", "rich", "yaml",
)  # fmt: skip
REFINE = (
    *ENGINE, "evolray.method", "evolray.refine", "evolray.chat", "numpy", "pyarrow",
)  # fmt: skip
REPORT = (
    "evolray.config", "evolray.errors", "evolray.records", "evolray.pool", "evolray.display", "evolray.report",
    "numpy", "pyarrow", "matplotlib", "jinja2", "yaml",
)  # fmt: skip
BOARD = (*REPORT, "evolray.board")
# Made of other stages: they read what those left on disk, and never import their code.
ABLATION = (*REPORT, *PIPELINE, "evolray.checkpoints", "evolray.ablation")
CAMPAIGN = (*REPORT, *PIPELINE, "evolray.checkpoints", "evolray.campaign")
DEMO = (
    "evolray.config", "evolray.errors", "evolray.pool", "evolray.ablation", "evolray.demo", "evolray.display",
    "evolray.teachers.simulated", "rich",
)  # fmt: skip
BLIND = (
    "evolray.config", "evolray.errors", "evolray.records", "evolray.pool", "evolray.evaluate.benchmark",
    "evolray.evaluate.chat", "evolray.evaluate.entries", "evolray.report.texts", "evolray.blind", "jinja2", "rich",
)  # fmt: skip
# What runs inside the sandbox: nothing but the interpreter is there.
SANDBOXED = ("evolray.evaluate.execution.inside",)
# The method depends on nothing but its arguments: no clock, no environment, no random state that others share.
IMPURE = (
    "time", "datetime", "os", "sys", "io", "pathlib", "tempfile", "socket", "subprocess", "threading", "asyncio",
    "logging", "secrets", "uuid", "random.seed", "random.random", "random.choice", "random.choices", "random.randint",
    "random.shuffle", "random.sample",
)  # fmt: skip

RULES = (
    Rule("evolray/errors.py"),
    Rule("evolray/records.py"),
    Rule("evolray/chat.py", ("evolray.errors",)),
    Rule("evolray/quiet.py", (), {"torch": "quiet", "transformers": "quiet"}),
    Rule("evolray/diff/*.py", ("evolray.errors", "evolray.diff", "numpy", "safetensors", "rich")),
    Rule("evolray/display.py", ("rich",), {"IPython": "Notebook._send"}),
    Rule("evolray/model_folder.py", MODEL_FOLDER),
    Rule("evolray/checkpoints.py", (*MODEL_FOLDER, "evolray.model_folder")),
    Rule("evolray/config/*.py", ("evolray.errors", "evolray.config", "omegaconf")),
    Rule("evolray/calling.py"),
    Rule("evolray/*/__init__.py", ("evolray.calling",)),
    Rule("evolray/cluster/on_ray.py", CLUSTER, {"torch": "_probe"}),
    Rule("evolray/cluster/shards/on_ray.py", ("evolray.cluster.terminal", "ray")),
    Rule("evolray/cluster/shards/*.py"),
    Rule("evolray/cluster/jobs/on_ray.py", CLUSTER),
    Rule("evolray/cluster/jobs/*.py", ("evolray.cluster.jobs", "evolray.errors")),
    Rule("evolray/cluster/grafana.py", ("evolray.cluster.metrics",)),
    Rule("evolray/cluster/*.py"),
    Rule("evolray/method/*.py", METHOD, never=IMPURE),
    Rule("evolray/teachers/endpoint/client.py", (*TEACHERS, "openai")),
    Rule("evolray/teachers/simulated/endpoint.py", (*TEACHERS, "aiohttp")),
    Rule("evolray/teachers/simulated/server.py", (*TEACHERS, "aiohttp")),
    Rule("evolray/teachers/simulated/wire.py", (*TEACHERS, "aiohttp")),
    Rule("evolray/teachers/endpoint/*.py", TEACHERS),
    Rule("evolray/teachers/simulated/*.py", TEACHERS),
    Rule("evolray/teachers/*.py", TEACHERS),
    Rule("evolray/pool/pool.py", POOL, {"ray": "Pool.dataset", "pandas": "Pool.to_pandas"}),
    Rule("evolray/pool/seed_formats.py", POOL, {"datasets": "_dataset_rows"}),
    Rule("evolray/pool/*.py", POOL),
    Rule("evolray/engine/on_ray.py", (*ENGINE, "ray", "numpy")),
    Rule("evolray/engine/*.py", ENGINE),
    Rule("evolray/evolve/*.py", EVOLVE),
    Rule("evolray/train/on_ray.py", (*TRAIN, "ray")),
    Rule("evolray/train/tokenising/on_ray.py", (*TRAIN, "ray")),
    Rule("evolray/train/tokenising/*.py", TRAIN),
    Rule("evolray/train/*.py", TRAIN),
    Rule("evolray/sampling/on_ray.py", (*SAMPLING, "ray")),
    Rule("evolray/sampling/models/*.py", MODELS),
    Rule("evolray/sampling/*.py", SAMPLING),
    Rule("evolray/evaluate/on_ray.py", (*EVALUATE, "ray")),
    Rule("evolray/evaluate/results.py", EVALUATE, {"pandas": "Results.to_pandas"}),
    Rule("evolray/evaluate/execution/inside/*.py", SANDBOXED),
    Rule("evolray/evaluate/math/*.py", (*EVALUATE, "math_verify", "sympy", "latex2sympy2_extended")),
    Rule("evolray/evaluate/knowledge/on_ray.py", (*EVALUATE, "ray")),
    Rule("evolray/evaluate/knowledge/inside.py", (*EVALUATE, "evolray.quiet", "lm_eval", "torch", "jinja2")),
    Rule("evolray/evaluate/knowledge/task_files.py", (*EVALUATE, "yaml")),
    Rule("evolray/evaluate/*/*/*.py", EVALUATE),
    Rule("evolray/evaluate/*/*.py", EVALUATE),
    Rule("evolray/evaluate/*.py", EVALUATE),
    Rule("evolray/sweep/on_ray.py", (*SWEEP, "ray")),
    Rule("evolray/sweep/figure.py", (*SWEEP, "matplotlib")),
    Rule("evolray/sweep/*.py", SWEEP),
    Rule("evolray/pipeline/on_ray.py", (*PIPELINE, "ray")),
    Rule("evolray/pipeline/job.py", PIPELINE, {"evolray.cli": "main"}),
    Rule("evolray/pipeline/*.py", PIPELINE),
    Rule("evolray/refine/on_ray.py", (*REFINE, "ray")),
    Rule("evolray/refine/duplicates/signatures.py", (*REFINE, "rensa")),
    Rule("evolray/refine/leaks/execution.py", (*REFINE, "evolray.evaluate.execution", "evolray.evaluate.code")),
    Rule("evolray/refine/leaks/code_problems.py", (*REFINE, "evolray.evaluate.code", "evolray.evaluate.benchmark")),
    Rule("evolray/refine/leaks/programs.py", (*REFINE, "evolray.evaluate.code")),
    Rule("evolray/refine/selection/embedding.py", REFINE, {"sentence_transformers": "embed"}),
    Rule("evolray/refine/results.py", REFINE, {"pandas": "Refined.dropped"}),
    Rule("evolray/refine/text/*.py", ("evolray.errors", "evolray.refine.text", "numpy")),
    Rule("evolray/refine/*/*.py", REFINE),
    Rule("evolray/refine/*.py", REFINE),
    Rule("evolray/report/*/*.py", REPORT),
    Rule("evolray/report/*.py", REPORT),
    Rule("evolray/board/*.py", BOARD),
    Rule("evolray/board/*/*.py", BOARD),
    Rule("evolray/ablation/on_ray.py", (*ABLATION, "ray")),
    Rule("evolray/ablation/*.py", ABLATION),
    Rule("evolray/ablation/*/*.py", ABLATION),
    Rule("evolray/campaign/rounds.py"),
    Rule("evolray/campaign/operators.py"),
    Rule("evolray/campaign/on_ray.py", (*CAMPAIGN, "ray")),
    Rule("evolray/campaign/*.py", CAMPAIGN),
    Rule("evolray/campaign/*/*.py", CAMPAIGN),
    Rule("evolray/demo/*.py", DEMO),
    Rule("evolray/blind/*.py", BLIND),
    Rule("evolray/blind/*/*.py", BLIND),
    Rule("evolray/views/*.py", ("evolray", "rich")),
    Rule("evolray/*.py", ("evolray", "rich")),  # the ways in: the package, the command line, its views
    Rule("jobs/*.py", ("evolray",)),
)

TYPING = "TYPE_CHECKING"


class Import(NamedTuple):
    """`name` is dotted in full; `scope` the function around it, "" at the top, TYPING when it never runs."""

    name: str
    scope: str
    line: int


def imports_of(source: str, path: str) -> Iterator[Import]:
    yield from _imports_below(ast.parse(source), Path(path).parent.parts, "")


def _imports_below(node: ast.AST, package: tuple[str, ...], scope: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, scope, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            parents = package[: len(package) - child.level + 1] if child.level else ()
            module = ".".join([*parents, *filter(None, [child.module])])
            yield from (Import(f"{module}.{alias.name}", scope, child.lineno) for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test).removeprefix("typing.") == TYPING:
            for statement in child.body:
                yield from _imports_below(ast.Module([statement], []), package, TYPING)
            for statement in child.orelse:
                yield from _imports_below(ast.Module([statement], []), package, scope)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _imports_below(child, package, f"{scope}.{child.name}".lstrip("."))
        else:
            yield from _imports_below(child, package, scope)


def functions_of(source: str) -> set[str]:
    """The names of the functions and methods as `Import.scope` gives them."""
    tree = ast.parse(source)
    methods = (
        f"{one.name}.{inner.name}" for one in tree.body if isinstance(one, ast.ClassDef)
        for inner in one.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
    )  # fmt: skip
    return {*methods, *(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))}


def fits(path: str, pattern: str) -> bool:
    """Folder for folder, so that "evolray/*.py" leaves the stages below it to rules of their own."""
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def covers(name: str, imported: str) -> bool:
    return imported == name or imported.startswith(f"{name}.")


def violations(path: str, source: str, rules: tuple[Rule, ...] = RULES) -> list[str]:
    """What the file imports against its rule, one line each; a file without a rule is one too."""
    rule = next((one for one in rules if fits(path, one.pattern)), None)
    if rule is None:
        return [f"{path}: no rule covers this file; add one to RULES"]
    found = []
    for name, scope, line in imports_of(source, path):
        top = name.partition(".")[0]
        lazy = next((function for package, function in rule.lazily.items() if covers(package, name)), None)
        in_function = bool(scope) and scope != TYPING and (scope == lazy or scope.startswith(f"{lazy}."))
        if any(covers(one, name) for one in rule.never):
            found.append(f"{path}:{line}: {name} is never allowed here")
        elif lazy is not None and not in_function and scope != TYPING:
            found.append(f"{path}:{line}: {name} is for {lazy} alone, found in {scope or 'the module'}")
        elif lazy is None and top not in sys.stdlib_module_names and not any(covers(one, name) for one in rule.allowed):
            found.append(f"{path}:{line}: {name} is not among {', '.join(rule.allowed) or 'the standard library'}")
        if covers("ray", name) and not scope and Path(path).name != "on_ray.py":
            found.append(f"{path}:{line}: a file that imports ray is named on_ray.py")
    return found


# --- the package ---


@pytest.mark.parametrize("path", [*SOURCES, *JOBS])
def test_imports(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_the_files_were_found() -> None:
    assert {"evolray/method/evolution.py", "evolray/engine/on_ray.py", "evolray/pool/pool.py"} <= set(SOURCES)
    assert "jobs/evolve.py" in JOBS


def test_lazy_imports_name_functions_that_exist() -> None:
    for rule in RULES:
        if rule.lazily:
            functions = functions_of((ROOT / rule.pattern).read_text(encoding="utf-8"))
            assert set(rule.lazily.values()) <= functions, rule.pattern


@pytest.mark.parametrize("path", JOBS)
def test_jobs_are_short(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MOST_JOB_LINES


@pytest.mark.parametrize(
    ("module", "engines"),
    [
        ("evolray.method.evolution", "ray torch openai aiohttp numpy pandas pyarrow omegaconf yaml rich"),
        ("evolray", "ray torch openai aiohttp numpy pandas pyarrow omegaconf transformers deepspeed"),
        ("evolray.cli", "ray torch openai transformers deepspeed datasets"),
        ("evolray.pool.pool", "ray torch openai pandas transformers datasets"),
        ("evolray.pool.seeds", "ray torch openai pandas transformers datasets"),
        ("evolray.teachers.endpoint.teacher", "ray torch pyarrow"),
        ("evolray.teachers.simulated", "ray torch openai aiohttp pyarrow"),
    ],
)
def test_a_fresh_interpreter_loads_no_engine(module: str, engines: str) -> None:
    program = f"import sys, {module}\nprint([name for name in {engines.split()!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# --- the checker itself ---


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("evolray/method/new.py", "import re\nfrom evolray.records import Turn\n", []),
        ("evolray/method/new.py", "import re, ray\n", ["ray is not among", "named on_ray.py"]),
        ("evolray/method/new.py", "from ray import data\n", ["ray.data is not among", "named on_ray.py"]),
        ("evolray/method/new.py", "from random import Random\n", []),
        ("evolray/method/new.py", "from random import choice\n", ["random.choice is never"]),
        ("evolray/method/new.py", "import time\n", ["time is never"]),
        ("evolray/method/new.py", "from evolray import config\n", ["evolray.config is not among"]),
        ("evolray/method/new.py", "from .. import config\n", ["evolray.config is not among"]),
        ("evolray/method/new.py", "from ..pool.seeds import x\n", ["evolray.pool.seeds.x is not among"]),
        ("evolray/method/new.py", "from . import teacher\nfrom .teacher import Call\n", []),
        ("evolray/method/new.py", "def f():\n    if True:\n        import numpy\n", [":3: numpy is not among"]),
        ("evolray/method/new.py", "try:\n    import rayon\nexcept ImportError:\n    pass\n", ["rayon is not among"]),
        ("evolray/records.py", "from evolray.errors import UserError\n", ["is not among the standard library"]),
        ("evolray/recordings.py", "from evolray.records import Turn\n", []),
        ("evolray/teachers/new.py", "from evolray.method.teacher import Call\n", []),
        ("evolray/teachers/new.py", "from evolray.method import evolution\n", ["evolray.method.evolution is not"]),
        ("evolray/teachers/new.py", "from evolray.method.teachers import x\n", ["evolray.method.teachers.x is not"]),
        ("evolray/teachers/new.py", "def f():\n    import openai\n", ["openai is not among"]),
        ("evolray/teachers/endpoint/client.py", "def f():\n    import openai\n", []),
        ("evolray/teachers/endpoint/client.py", "import aiohttp\n", ["aiohttp is not among"]),
        ("evolray/pool/new.py", "import pyarrow.fs\n", []),
        ("evolray/pool/new.py", "def dataset():\n    import ray.data\n", ["ray.data is not among"]),
        ("evolray/pool/pool.py", "class Pool:\n    def dataset(self):\n        import ray.data\n", []),
        ("evolray/pool/pool.py", "class Pool:\n    def records(self):\n        import ray.data\n", ["Pool.dataset"]),
        ("evolray/pool/pool.py", "class Pool:\n    import ray.data\n", ["for Pool.dataset alone, found in Pool"]),
        ("evolray/pool/pool.py", "import ray.data\n", ["ray.data is for Pool.dataset alone", "named on_ray.py"]),
        ("evolray/pool/pool.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ray.data\n", []),
        ("evolray/pool/new.py", "import typing\nif typing.TYPE_CHECKING:\n    import ray\n", ["ray is not among"]),
        ("evolray/pool/pool.py", "if TYPE_CHECKING:\n    x = 1\nelse:\n    import ray\n", ["Pool.dataset", "on_ray"]),
        ("evolray/evolve/new.py", "from rich import live\n", []),
        ("evolray/evolve/new.py", "def f():\n    import ray\n", ["ray is not among"]),
        ("evolray/engine/on_ray.py", "import numpy as np\nimport ray\n", []),
        ("evolray/engine/on_ray.py", "from evolray.train import loop\n", ["evolray.train.loop is not among"]),
        ("evolray/new_stage/loop.py", "import re\n", ["no rule covers"]),
        ("jobs/new.py", "import ray\n", ["ray is not among", "named on_ray.py"]),
    ],
)  # fmt: skip
def test_the_checker_finds_planted_imports(path: str, source: str, found: list[str]) -> None:
    lines = violations(path, source)
    assert len(lines) == len(found), lines
    assert all(part in line for part, line in zip(found, lines, strict=True)), lines
