"""Accounts: they balance or fail, add up, survive JSON, and their digest knows rows but no order."""

import json
from collections import Counter
from dataclasses import fields, replace

import pytest

from evolray.errors import EvolrayError
from evolray.pool.accounts import DIGEST_RANGE, Accounts, Usage, row_hash
from evolray.records import SEED, Eliminated, Failed, Outcome, Record, Turn

ROOTS = ["1" * 16, "2" * 16, "3" * 16]


def kept(root: str, generation: int, operator: str) -> Record:
    return Record(root, generation, None, "open", operator, "", f"Instruction {root} {generation}", "Response")


def eliminated(root: str, generation: int, operator: str, reason: str) -> Eliminated:
    return Eliminated(root, generation, None, "open", operator, "", reason, "judge", "Instruction")


OUTCOMES: list[Outcome] = [
    *(kept(root, 0, SEED) for root in ROOTS),
    kept(ROOTS[0], 1, "deepen"),
    eliminated(ROOTS[1], 1, "deepen", "unchanged"),
    eliminated(ROOTS[2], 1, "mutate", "unchanged"),
    kept(ROOTS[0], 2, "deepen"),
    Failed(ROOTS[1], 2, "deepen", "timeout", "no answer"),
    eliminated(ROOTS[2], 2, "mutate", "refusal"),
]


def counted(outcomes: list[Outcome]) -> Accounts:
    accounts = Accounts(incoming=Counter({0: 3, 1: 3, 2: 3}))
    for outcome in outcomes:
        accounts.count(outcome)
    return accounts


def test_what_goes_in_equals_what_comes_out() -> None:
    accounts = counted(OUTCOMES)
    accounts.check()
    assert [accounts.total(fate) for fate in ("kept", "eliminated", "failed")] == [5, 3, 1]


@pytest.mark.parametrize("position", range(len(OUTCOMES)))
def test_a_lost_or_doubled_outcome_is_noticed(position: int) -> None:
    generation = OUTCOMES[position].generation
    with pytest.raises(EvolrayError, match=f"generation {generation} do not balance: 3 went in, 2 came out"):
        counted(OUTCOMES[:position] + OUTCOMES[position + 1 :]).check()
    with pytest.raises(EvolrayError, match=f"generation {generation} do not balance: 3 went in, 4 came out"):
        counted([*OUTCOMES, OUTCOMES[position]]).check()


def test_a_generation_that_nothing_went_into_must_be_empty() -> None:
    with pytest.raises(EvolrayError, match="generation 3 do not balance: 0 went in, 1 came out"):
        counted([*OUTCOMES, kept(ROOTS[0], 3, "deepen")]).check()


def test_rows_by_generation() -> None:
    assert counted(OUTCOMES).by_generation() == [
        {"generation": 0, "in": 3, "kept": 3, "eliminated": {}, "failed": {}},
        {"generation": 1, "in": 3, "kept": 1, "eliminated": {"unchanged": 2}, "failed": {}},
        {"generation": 2, "in": 3, "kept": 1, "eliminated": {"refusal": 1}, "failed": {"timeout": 1}},
    ]


def test_rows_by_operator() -> None:
    assert counted(OUTCOMES).by_operator() == [
        {"operator": "deepen", "in": 4, "kept": 2, "eliminated": {"unchanged": 1}, "failed": {"timeout": 1}},
        {"operator": "mutate", "in": 2, "kept": 0, "eliminated": {"refusal": 1, "unchanged": 1}, "failed": {}},
        {"operator": "seed", "in": 3, "kept": 3, "eliminated": {}, "failed": {}},
    ]


def test_a_generation_without_outcomes_has_a_row() -> None:
    assert Accounts(incoming=Counter({1: 0})).by_generation() == [
        {"generation": 1, "in": 0, "kept": 0, "eliminated": {}, "failed": {}}
    ]
    assert Accounts().by_generation() == Accounts().by_operator() == []


def test_adding_up_parts_gives_the_whole() -> None:
    whole = counted(OUTCOMES)
    whole.usage = {"evolve": Usage(3, 30, 300), "judge": Usage(1, 2, 3)}
    total = Accounts()
    for part in ([0, 3, 4], [1, 2], [5, 6, 7, 8]):
        one = Accounts()
        for position in part:
            one.incoming[OUTCOMES[position].generation] += 1
            one.count(OUTCOMES[position])
        total.add(one)
    total.add(Accounts(usage={"evolve": Usage(1, 10, 100)}))
    total.add(Accounts(usage={"evolve": Usage(2, 20, 200), "judge": Usage(1, 2, 3)}))
    assert total.to_json() == whole.to_json()


def test_adding_leaves_what_was_added_alone() -> None:
    part, total = Accounts(usage={"evolve": Usage(1, 10, 100)}), Accounts()
    total.add(part)
    total.spend("evolve", Usage(5, 5, 5))
    assert part.usage == {"evolve": Usage(1, 10, 100)}
    assert total.usage == {"evolve": Usage(6, 15, 105)}


def test_accounts_survive_json() -> None:
    accounts = counted(OUTCOMES)
    accounts.spend("judge", Usage(1, 2, 3))
    accounts.spend("evolve", Usage(4, 5, 6))
    back = Accounts.from_json(json.loads(json.dumps(accounts.to_json())))
    assert back == accounts
    back.check()
    assert back.by_generation() == accounts.by_generation()


def test_the_digest_knows_the_rows_and_not_their_order() -> None:
    straight, reversed_ = counted(OUTCOMES), counted(OUTCOMES[::-1])
    assert straight.digest == reversed_.digest > 0
    assert straight.to_json() == reversed_.to_json()
    assert counted(OUTCOMES[1:]).digest != straight.digest
    assert counted([*OUTCOMES, OUTCOMES[0]]).digest != straight.digest  # twice is not once


def test_what_is_not_kept_does_not_change_the_digest() -> None:
    assert counted(OUTCOMES[:4] + OUTCOMES[6:7]).digest == counted(OUTCOMES).digest


def test_the_digest_stays_in_its_range() -> None:
    accounts = Accounts(digest=DIGEST_RANGE - 1)
    accounts.add(Accounts(digest=2))
    assert accounts.digest == 1
    assert len(Accounts(digest=1).to_json()["digest"]) == 64


def test_every_field_of_a_record_is_in_its_hash() -> None:
    record = Record("1" * 16, 1, "p", "open", "deepen", "v", "i", "r", (Turn("user", "c"),), "t", 1, 2, 3)
    others = {
        "root_id": "2" * 16, "generation": 2, "parent_id": None, "domain": "code", "operator": "mutate", "variant": "",
        "instruction": "j", "response": "s", "context": (Turn("system", "c"),), "teacher": "u", "prompt_tokens": 9,
        "completion_tokens": 9, "attempts": 9,
    }  # fmt: skip
    assert set(others) == {field.name for field in fields(Record)}
    hashes = {row_hash(replace(record, **{name: value})) for name, value in others.items()}
    assert len(hashes | {row_hash(record)}) == len(others) + 1


def test_fields_do_not_run_into_each_other_in_the_hash() -> None:
    record = kept(ROOTS[0], 1, "deepen")
    moved = replace(record, instruction=record.instruction + "Re", response="sponse")
    assert row_hash(moved) != row_hash(replace(record, response="Response"))
    assert row_hash(replace(record, response="\ud800")) != row_hash(replace(record, response="\ufffd"))
