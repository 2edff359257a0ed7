"""What `generate` is given: every shape of entry, a name for each, and a reason for each that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.errors import UserError
from evolray.records import Turn
from evolray.sampling.instructions import Instruction, Unusable, read_instructions


def read(tmp_path: Path, *entries: Any, columns: dict[str, str] | None = None) -> list[Instruction | Unusable]:
    path = tmp_path / "instructions.jsonl"
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries))
    return list(read_instructions(str(path), columns or {}))


def asked(text: str) -> tuple[Turn, ...]:
    return (Turn("user", text),)


def test_the_papers_form_keeps_its_numbers(tmp_path: Path) -> None:
    found = read(tmp_path, {"idx": 1, "Skill": "Math", "Difficulty": 2, "Instruction": "What is 2 + 2?"})
    assert found == [Instruction("1", asked("What is 2 + 2?"))]


@pytest.mark.parametrize(
    ("entry", "id"),
    [
        ({"id": "a-7", "instruction": "Go."}, "a-7"),
        ({"task_id": "HumanEval/3", "prompt": "Go."}, "HumanEval/3"),
        ({"question_id": 81.0, "question": "Go."}, "81"),
        ({"instruction": "Go."}, "line-1"),
        ({"id": " ", "instruction": "Go."}, "line-1"),
        ({"id": None, "idx": 0, "instruction": "Go."}, "0"),
    ],
)
def test_ids(tmp_path: Path, entry: dict[str, Any], id: str) -> None:
    assert read(tmp_path, entry) == [Instruction(id, asked("Go."))]


def test_an_id_that_comes_twice_gets_its_line_added(tmp_path: Path) -> None:
    entries = [{"idx": 5, "instruction": text} for text in ("One.", "Two.", "Three.")]
    assert [one.id for one in read(tmp_path, *entries) if isinstance(one, Instruction)] == ["5", "5:2", "5:3"]


def test_an_input_stays_apart_from_the_instruction(tmp_path: Path) -> None:
    found = read(tmp_path, {"instruction": "Sort.", "input": "3 1 2"}, {"instruction": "Sing.", "input": "<No Input>"})
    assert found == [Instruction("line-1", asked("Sort."), "3 1 2"), Instruction("line-2", asked("Sing."))]


def test_a_conversation_is_answered_at_its_last_user_turn(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}, {"from": "human", "value": "Why?"}]
    expected = (Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "Why?"))
    found = read(tmp_path, {"id": "c", "conversations": [*turns, {"from": "gpt", "value": "Because."}]})
    assert found == [Instruction("c", expected)]


def test_columns_of_ones_own(tmp_path: Path) -> None:
    columns = {"instruction": "ask", "id": "nr", "input": "data"}
    found = read(tmp_path, {"nr": "x", "ask": "Add.", "data": "1 2", "instruction": "not this"}, columns=columns)
    assert found == [Instruction("x", asked("Add."), "1 2")]


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="columns names instrucion; expected some of id, instruction, input"):
        read(tmp_path, {"instruction": "Go."}, columns={"instrucion": "ask"})


def test_what_cannot_be_used_is_said_with_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, {"instruction": "Go."}, "{broken", {"output": "no instruction"}, {"instruction": 7}, [1])
    assert isinstance(found[0], Instruction)
    unusable = found[1:]
    assert all(isinstance(one, Unusable) for one in unusable)
    assert [one.line for one in unusable] == [2, 3, 4, 5]  # type: ignore[union-attr]
    assert "no instruction" in unusable[1].reason and "instruction is a number" in unusable[2].reason  # type: ignore[union-attr]


def test_an_evolve_run(tmp_path: Path, local_ray: None) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("".join(json.dumps({"instruction": f"Describe the number {n}."}) + "\n" for n in range(3)))
    run = str(tmp_path / "pool")
    pool = evolray.evolve(run=run, seeds__path=str(seeds), generations=1, teacher__kind="simulated")
    found = list(read_instructions(run, {}))
    assert [(one.id, one.messages) for one in found if isinstance(one, Instruction)] == [
        (record.id, (*record.context, Turn("user", record.instruction))) for record in pool.records()
    ]
    assert len(found) == pool.manifest.kept
