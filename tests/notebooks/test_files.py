"""The notebooks as they are committed: without outputs, for any Python 3, and told in order."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.places import NOTEBOOKS, ROOT, cells, source

README = (ROOT / "notebooks" / "README.md").read_text()


def test_there_are_five_numbered_in_order() -> None:
    assert [path.name for path in NOTEBOOKS] == [
        "1_evolve.ipynb", "2_refine.ipynb", "3_train.ipynb", "4_sweep.ipynb", "5_own_domain.ipynb",
    ]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_is_a_valid_notebook_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.metadata.kernelspec.name) == (4, "python3")
    assert [cell["outputs"] for cell in cells(path)] == [[]] * len(cells(path))
    assert {cell["execution_count"] for cell in cells(path)} == {None}
    every = json.loads(path.read_text())["cells"]
    assert [cell["id"] for cell in every] == [f"cell-{place:02d}" for place in range(1, len(every) + 1)]
    assert all(cell["metadata"] == {} for cell in every)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_begins_with_its_title_and_with_where_it_is(path: Path) -> None:
    first = json.loads(path.read_text())["cells"][0]
    assert first["cell_type"] == "markdown"
    assert source(first).startswith(f"# {path.stem[0]} · ")
    assert source(cells(path)[0]).startswith("import start\n\nstart.in_repository()")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_files_that_a_notebook_names_are_there(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"\b(?:conf|notebooks)/[\w/.-]+\.\w+", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_readme_names_it(path: Path) -> None:
    assert f"[{path.name}]({path.name})" in README
