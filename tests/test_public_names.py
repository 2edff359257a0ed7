"""What `import evolray` promises: these names and no others, and next to no time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import evolray

ROOT = Path(__file__).parents[1]
PUBLIC = [
    "Ablation",
    "AblationConfig",
    "Answers",
    "Blind",
    "BlindConfig",
    "Board",
    "BoardConfig",
    "BudgetError",
    "Campaign",
    "CampaignConfig",
    "Checkpoint",
    "Checkpoints",
    "Domain",
    "EndpointError",
    "EvaluateConfig",
    "EvolrayError",
    "EvolveConfig",
    "GenerateConfig",
    "GradeConfig",
    "Interrupted",
    "Operator",
    "Pool",
    "Record",
    "RefineConfig",
    "Refined",
    "ReportConfig",
    "Results",
    "Sweep",
    "SweepConfig",
    "TrainConfig",
    "UserError",
    "__version__",
    "ablation",
    "blind",
    "board",
    "campaign",
    "evaluate",
    "evolve",
    "export",
    "generate",
    "grade",
    "refine",
    "report",
    "sweep",
    "train",
]


def fresh(program: str) -> Any:
    """What a new interpreter prints, read as JSON. Nothing that another test imported is there."""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_public_names_are_these() -> None:
    assert list(evolray.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_resolves_and_is_listed(name: str) -> None:
    assert getattr(evolray, name) is not None
    assert name in dir(evolray)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evolv"):
        _ = evolray.evolv


def test_the_version_is_the_installed_one() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{evolray.__version__}"\n' in pyproject


@pytest.mark.parametrize("program", ["import evolray", "import evolray; evolray.EvolrayError, evolray.Record"])
def test_importing_loads_nothing_heavy(program: str) -> None:
    loaded = set(fresh(f"import json, sys; {program}; print(json.dumps(sorted(sys.modules)))"))
    assert "evolray" in loaded
    assert not loaded & {"ray", "torch", "transformers", "openai", "pandas", "numpy", "pyarrow", "aiohttp", "datasets"}


@pytest.mark.parametrize(
    "imports",
    ["import evolray", "import evolray.evolve.plan, evolray", "from evolray import evolve; import evolray.evolve.plan"],
)
def test_evolve_can_be_called_whatever_was_imported_first(imports: str) -> None:
    """`evolray.evolve` is also the name of a package, which an import of one of its modules puts in the same place."""
    assert fresh(f"{imports}; import evolray; print(str(callable(evolray.evolve)).lower())") is True
