"""What is let through of task files that may come from anywhere, and what is refused."""

import shutil
from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.evaluate.knowledge import task_files
from evolray.evaluate.knowledge.task_files import own_folder, read_task_files
from tests.evaluate.knowledge import tasks

FUNCTION = "process_docs: !function utils.process_docs"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.write_all(tmp_path_factory.mktemp("tasks"))


@pytest.fixture
def files(copied: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(copied, tmp_path / "files"))


def test_what_a_task_needs_is_taken_and_nothing_else(files: Path) -> None:
    (files / "notes.txt").write_text("not a task")
    (files / "data" / "unused.jsonl").write_text("{}")
    read = read_task_files(str(files), "mmlu")
    assert {"mmlu", "mmlu_stem", "mmlu_law", "arc_challenge", "hellaswag", "truthfulqa_mc2"} <= read.names
    assert read.metrics == {"acc", "acc_norm"}
    assert {"truthfulqa/_truthfulqa", "hellaswag/utils.py", "data/law.dev.jsonl", "mmlu/_mmlu.yaml"} <= set(
        read.contents
    )
    assert {"notes.txt", "data/unused.jsonl"}.isdisjoint(read.contents)
    (files / "notes.txt").write_text("changed")
    assert read_task_files(str(files), "mmlu").sha256 == read.sha256
    (files / "data" / "law.test.jsonl").write_text("{}")
    assert read_task_files(str(files), "mmlu").sha256 != read.sha256


def test_one_file_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        (tmp_path / "data" / f"arc.{split}.jsonl").write_text("{}")
    (tmp_path / "arc.yaml").write_text(tasks.ARC)
    (tmp_path / "bad.yaml").write_text("!!python/object:os.system {}")
    read = read_task_files(str(tmp_path / "arc.yaml"), "arc_challenge")
    assert sorted(read.contents) == ["arc.yaml", "data/arc.test.jsonl", "data/arc.train.jsonl"]


def test_the_task_must_be_there(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no task or group named winogrande; found: arc_challenge, hellaswag"):
        read_task_files(str(files), "winogrande")
    with pytest.raises(UserError, match="no such folder"):
        read_task_files(str(tmp_path / "nowhere"), "mmlu")


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ((FUNCTION, "process_docs: !function utils.exit"), "!function utils.exit is refused"),
        ((FUNCTION, "process_docs: !function os.system"), "!function os.system is refused"),
        ((FUNCTION, "process_docs: !function subprocess.run"), "!function subprocess.run is refused"),
        ((FUNCTION, "process_docs: !function lm_eval.utils.os"), "!function lm_eval.utils.os is refused"),
        ((FUNCTION, "process_docs: !function lm_eval.tasks.hellaswag.utils.re"), "is refused"),  # what it imports
        ((FUNCTION, "process_docs: !function lm_eval.tasks.hellaswag.utils.process_docs"), ""),
        ((FUNCTION, "process_docs: !!python/name:os.system"), "cannot be read as a task file"),
        ((FUNCTION, "class: !function utils.process_docs"), "class is refused"),
        ((FUNCTION, "use_prompt: promptsource:x"), "use_prompt is refused"),
        ((FUNCTION, "include: ../../elsewhere.yaml"), "no such file"),
        ((FUNCTION, "a: &a [*a]"), "contains itself"),
        (("metric: acc,", "metric: ./evil,"), "metric: ./evil is refused"),
        (("metric: acc,", "metric: acc, hf_evaluate: true,"), "hf_evaluate is refused"),
        (("metric: acc,", "metric: acc, hf_evaluate: false,"), ""),
        (("dataset_path: json", "dataset_path: pandas"), "dataset_path: pandas is refused"),
        (("dataset_path: json", "dataset_path: ./script.py"), "dataset_path: ./script.py is refused"),
        (("dataset_path: json", "dataset_path: /tmp/data"), "dataset_path: /tmp/data is refused"),
        (("dataset_path: json", "dataset_path: Rowan/hellaswag"), ""),
        (("dataset_path: json", "dataset_path: data"), ""),
        (("data/hellaswag.train.jsonl", "/etc/passwd"), "data at /etc/passwd is refused"),
        (("data/hellaswag.train.jsonl", "../../x.jsonl"), "data at ../../x.jsonl is refused"),
        (("data/hellaswag.train.jsonl", "https://x.org/x.jsonl"), "data at https://x.org/x.jsonl is refused"),
        (("data/hellaswag.train.jsonl", "data/no.jsonl"), "data at data/no.jsonl: no such file"),
        (("data/hellaswag.train.jsonl", "data/hellaswag.*.jsonl"), ""),
    ],
)  # fmt: skip
def test_what_would_run_or_read_more_is_refused(files: Path, change: tuple[str, str], refused: str) -> None:
    path = files / "hellaswag" / "hellaswag.yaml"
    before, after = change
    assert before in tasks.HELLASWAG
    path.write_text(tasks.HELLASWAG.replace(before, after, 1))
    if not refused:
        assert "hellaswag" in read_task_files(str(files), "hellaswag").names
        return
    with pytest.raises(UserError) as error:
        read_task_files(str(files), "hellaswag")
    assert refused in str(error.value)


def test_code_that_is_not_lm_evals_own(files: Path) -> None:
    path = files / "hellaswag" / "utils.py"
    path.write_text(f"{path.read_text()}\nimport os\n")
    with pytest.raises(UserError, match=r"runs code that is not lm-eval's own.* unchanged copy"):
        read_task_files(str(files), "hellaswag")


def test_own_code_that_runs_its_data(files: Path) -> None:
    shutil.copyfile(own_folder() / "longproc" / "metrics.py", files / "hellaswag" / "utils.py")
    path = files / "hellaswag" / "hellaswag.yaml"
    path.write_text(tasks.HELLASWAG.replace("utils.process_docs", "utils._extract_with_tag"))
    with pytest.raises(UserError, match="or that runs code from its data"):
        read_task_files(str(files), "hellaswag")


def test_links_out_of_the_folder(files: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}")
    path = files / "data" / "hellaswag.train.jsonl"
    path.unlink()
    path.symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(UserError, match="lies outside of"):
        read_task_files(str(files), "hellaswag")


def test_without_lm_eval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "evolray\[lm-eval\]"'):
        own_folder()
