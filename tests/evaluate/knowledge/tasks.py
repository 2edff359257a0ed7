"""Task files and data in the form of the four benchmarks, small: what a local copy of lm-eval's tasks looks like."""

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evolray.evaluate.knowledge.task_files import own_folder
from tests.sampling import tiny

SUBJECTS = {"anatomy": "stem", "virology": "other", "law": "humanities"}
POSITIONS = 4096
WORDS = "oak birch sum three two one tree name add return of and the is are water stone light".split()

MMLU = """
task: mmlu_{subject}
task_alias: {subject}
dataset_path: json
dataset_kwargs:
  data_files:
    test: data/{subject}.test.jsonl
    dev: data/{subject}.dev.jsonl
test_split: test
fewshot_split: dev
fewshot_config:
  sampler: first_n
output_type: multiple_choice
description: "The following are multiple choice questions (with answers) about {subject}.\\n\\n"
doc_to_text: "{{{{question.strip()}}}}\\nA. {{{{choices[0]}}}}\\n\\
  B. {{{{choices[1]}}}}\\nC. {{{{choices[2]}}}}\\nD. {{{{choices[3]}}}}\\nAnswer:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: answer
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
GROUP = """
group: {name}
task: {members}
aggregate_metric_list:
  - metric: acc
    weight_by_size: true
metadata:
  version: 2
"""
ARC = """
task: arc_challenge
dataset_path: json
dataset_kwargs:
  data_files: {train: data/arc.train.jsonl, test: data/arc.test.jsonl}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{choices.label.index(answerKey)}}"
doc_to_choice: "{{choices.text}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata:
  version: 1.0
"""
HELLASWAG = """
task: hellaswag
dataset_path: json
dataset_kwargs:
  data_files: {train: data/hellaswag.train.jsonl, validation: data/hellaswag.validation.jsonl}
training_split: train
validation_split: validation
output_type: multiple_choice
process_docs: !function utils.process_docs
doc_to_text: "{{query}}"
doc_to_target: "{{label}}"
doc_to_choice: "choices"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata:
  version: 1.0
"""
TRUTHFULQA = """
include: _truthfulqa
task: truthfulqa_mc2
dataset_path: json
dataset_kwargs:
  data_files: {validation: data/truthfulqa.jsonl}
validation_split: validation
output_type: multiple_choice
num_fewshot: 0
doc_to_target: 0
doc_to_choice: "{{mc2_targets.choices}}"
process_results: !function utils.process_results_mc2
metadata:
  version: 3.0
"""
TRUTHFULQA_TEXT = """
doc_to_text: "{{'Q: Who? A: Nobody.' + '\\n\\nQ: ' + question + '\\nA:'}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""


def write_all(folder: Path) -> Path:
    """A folder for each of lm-eval's, as there; data in one `data` beside them."""
    drawn = random.Random(0)
    texts = {
        "hellaswag/hellaswag.yaml": HELLASWAG, "arc/arc_challenge.yaml": ARC,
        "truthfulqa/truthfulqa_mc2.yaml": TRUTHFULQA, "truthfulqa/_truthfulqa": TRUTHFULQA_TEXT,
        "mmlu/_mmlu.yaml": GROUP.format(name="mmlu", members=[f"mmlu_{field}" for field in SUBJECTS.values()]),
        **{f"mmlu/{one}.yaml": MMLU.format(subject=one) for one in SUBJECTS},
        **{
            f"mmlu/_{field}.yaml": GROUP.format(name=f"mmlu_{field}", members=[f"mmlu_{subject}"])
            for subject, field in SUBJECTS.items()
        },
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for task in ("hellaswag", "truthfulqa"):
        shutil.copyfile(own_folder() / task / "utils.py", folder / task / "utils.py")
    for at, subject in enumerate(SUBJECTS):
        _write(folder, f"{subject}.test", [_mmlu(drawn) for _ in range(4 + 3 * at)])
        _write(folder, f"{subject}.dev", [_mmlu(drawn) for _ in range(5)])
    _write(folder, "arc.train", [_arc(drawn, at) for at in range(26)])
    _write(folder, "arc.test", [_arc(drawn, at) for at in range(8)])
    _write(folder, "hellaswag.train", [_hellaswag(drawn) for _ in range(12)])
    _write(folder, "hellaswag.validation", [_hellaswag(drawn) for _ in range(8)])
    _write(folder, "truthfulqa", [_truthfulqa(drawn, at) for at in range(8)])
    return folder


def save_student(folder: Path, begin: str | None = None) -> Path:
    """The tiny LLaMA, with room for 25 examples."""
    tiny.save_student(folder, begin=begin, chat_format=None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": POSITIONS}))
    return folder


def _write(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _words(drawn: random.Random, most: int = 5) -> str:
    return " ".join(drawn.choices(WORDS, k=drawn.randint(2, most)))


def _mmlu(drawn: random.Random) -> dict[str, Any]:
    return {"question": f"{_words(drawn)}? ", "choices": [_words(drawn) for _ in "ABCD"], "answer": drawn.randrange(4)}


def _arc(drawn: random.Random, at: int) -> dict[str, Any]:
    labels = list("1234" if at % 4 == 3 else "ABCD")[: 3 + at % 2]
    texts = [_words(drawn, 9) for _ in labels]
    return {
        "question": f"{_words(drawn)}?", "choices": {"text": texts, "label": labels}, "answerKey": drawn.choice(labels)
    }  # fmt: skip


def _hellaswag(drawn: random.Random) -> dict[str, Any]:
    return {
        "activity_label": _words(drawn), "ctx_a": f"{_words(drawn)}.", "ctx_b": _words(drawn),
        "endings": [f"{_words(drawn, 9)} [step]." for _ in "ABCD"], "label": str(drawn.randrange(4)),
    }  # fmt: skip


def _truthfulqa(drawn: random.Random, at: int) -> dict[str, Any]:
    labels = [1, 1, 0, 0, 0][at % 2 :]
    choices = [_words(drawn) for _ in labels]
    return {"question": f"{_words(drawn)}?", "mc2_targets": {"choices": choices, "labels": labels}}
