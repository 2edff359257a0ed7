"""Every notebook, run from its first cell to its last in a copy of what it needs, offline; and what it computed."""

import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.ray]

CELL_SECONDS = 600


class Executed:
    """`values` are the notebook's own, as JSON has them."""

    def __init__(self, notebook: nbformat.NotebookNode, values: dict[str, Any]) -> None:
        self.notebook, self.values = notebook, values

    def outputs(self) -> list[list[Any]]:
        return [cell.outputs for cell in self.notebook.cells if cell.cell_type == "code"]


class Desk:
    """A directory with a copy of the notebooks and of what they read; each is run there once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("conf", "notebooks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, name: str, **values: str) -> Executed:
        """`values` are expressions, evaluated after the last cell."""
        notebook = nbformat.read(self.folder / "notebooks" / f"{name}.ipynb", as_version=4)
        asked = f"import json; print(json.dumps({{{', '.join(f'{key!r}: {value}' for key, value in values.items())}}}))"
        notebook.cells.append(nbformat.v4.new_code_cell(asked))
        elsewhere = {"metadata": {"path": str(self.folder / "notebooks")}}
        NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=elsewhere).execute()
        return Executed(notebook, json.loads(notebook.cells.pop().outputs[-1].text))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("RAY_ADDRESS", "local")  # never one that happens to run on this machine
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
        yield Desk(folder)


def check_outputs(executed: Executed) -> None:
    """A live view is one output of its cell, however often it changed; nothing else is said below a cell."""
    for outputs in executed.outputs():
        assert [output.text for output in outputs if output.get("name") == "stderr"] == []
        assert Counter(output.output_type for output in outputs)["display_data"] <= 1


def test_evolve(desk: Desk) -> None:
    done = desk.run(
        "1_evolve",
        kept="accounts.kept.tolist()",
        eliminated="accounts.eliminated.tolist()",
        reasons="sorted(eliminated.reason)",
        fates="[outcome['fate'] for outcome in lineage]",
        calls="[calls, again.manifest.calls, grown.manifest.calls]",
        digests="[grown.digest(), spread.digest(), pool.digest()]",
    )
    assert done.values["kept"] == [14, 13, 14, 10]
    assert done.values["eliminated"] == [0, 1, 0, 4]
    reasons = ["empty", "no_information_gain", "no_information_gain", "prompt_leak", "truncated"]
    assert done.values["reasons"] == reasons
    assert done.values["fates"] == ["kept", "kept", "kept", "eliminated"]
    assert done.values["calls"] == [126, 126, 166]
    grown, spread, before = done.values["digests"]
    assert grown == spread != before
    check_outputs(done)


def test_refine(desk: Desk) -> None:
    done = desk.run(
        "2_refine",
        leaks="mix.leaks()[['id', 'item']].sort_values('item').values.tolist()",
        planted="ours.index.size",
        evolved="[sum(1 for _ in one.records()) for one in pools.values()]",
        mix="len(smaller.to_pandas())",
        dropped="smaller.dropped().reason.value_counts().to_dict()",
        by_source="chosen.source.value_counts().to_dict()",
        hardest="[int(chosen.difficulty.min()), int(smaller.dropped('not_selected').shape[0])]",
        asked="smaller.manifest.calls - calls",
        page="page",
    )
    assert [item for _, item in done.values["leaks"]] == ["line 6", "line 7"]
    assert done.values["planted"] == 2
    assert done.values["by_source"] == {"open": 14, "code": 13, "math": 13}
    assert sum(done.values["evolved"]) == done.values["mix"] + sum(done.values["dropped"].values())
    assert done.values["asked"] == 0
    assert "<svg" in (desk.folder / done.values["page"]).read_text()
    check_outputs(done)


def test_train_and_sweep(desk: Desk) -> None:
    """The sweep takes up the training's student."""
    done = desk.run(
        "3_train",
        records="sum(1 for _ in pool.records())",
        examples="examples",
        steps="[one.step for one in checkpoints.all()]",
        losses="[one.held_out_loss for one in checkpoints.all()]",
        logged="log.dropna(subset='loss').step.tolist()",
        padding="[float(log.padding.max()), float(wasted)]",
        response="response",
    )
    examples = done.values["examples"]
    assert examples["entries"] == done.values["records"] == examples["train"] + examples["held_out"]
    assert done.values["steps"] == [80, 160]
    first, last = done.values["losses"]
    assert last < first < 3
    assert done.values["logged"] == list(range(4, 161, 4))
    packed, padded = done.values["padding"]
    assert packed == 0 < padded < 1
    assert done.values["response"].strip()
    check_outputs(done)

    swept = desk.run(
        "4_sweep",
        steps="rows.step.tolist()",
        totals="rows.total.tolist()",
        passed="rows.passed.tolist()",
        levels="sorted(results[first].scores['gsm8k']['groups']['level'])",
        difference="[gained, lost]",
        p="p",
        best="again.best.benchmarks['gsm8k'].step",
    )
    assert (swept.values["steps"], swept.values["totals"]) == ([80, 160], [60, 60])
    assert swept.values["levels"] == ["1 step", "2 steps", "3 steps"]
    gained, lost = swept.values["difference"]
    earlier, later = swept.values["passed"]
    assert gained - lost == later - earlier
    assert 0 < swept.values["p"] <= 1
    assert swept.values["best"] == (160 if later > earlier else 80)
    check_outputs(swept)


def test_own_domain(desk: Desk) -> None:
    done = desk.run(
        "5_own_domain",
        lineage="[[type(one).__name__, one.operator] for one in outcomes]",
        kept="sum(1 for _ in pool.records())",
        reasons="pool.to_pandas('eliminated').reason.value_counts().to_dict()",
        operators="pool.to_pandas().operator.value_counts().to_dict()",
        refused="refused",
        calls="{purpose: usage.calls for purpose, usage in estimate.usage.items()}",
    )
    assert done.values["lineage"] == [
        ["Record", "seed"], ["Eliminated", "diet"], ["Record", "serve"], ["Record", "serve"],
    ]  # fmt: skip
    assert set(done.values["reasons"]) == {"no_question", "prompt_leak"}
    assert done.values["kept"] + sum(done.values["reasons"].values()) == 40 * (3 + 1)
    assert set(done.values["operators"]) == {"seed", "diet", "pantry", "serve"}
    assert "prompts.operator/serve" in done.values["refused"]
    assert done.values["calls"] == {"evolve": 120, "judge": 120, "respond": 160}
    check_outputs(done)
