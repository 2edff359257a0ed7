"""Which records make the mix: exact reasons, exact counts, and the same whatever the shards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.config.refine import JudgingConfig, RefineConfig, SelectConfig
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.refine.index import read_index
from evolray.refine.reasons import REASONS, code
from evolray.refine.selection.candidates import Candidates, read_candidates
from evolray.refine.selection.diversity import redundancy
from evolray.refine.selection.selecting import select
from evolray.refine.selection.settings import check_select
from evolray.refine.tables import (
    FEATURES_SCHEMA,
    JUDGED_SCHEMA,
    RECORDS_SCHEMA,
    SIGNATURES,
    write_array,
    write_rows,
)  # fmt: skip


@dataclass(frozen=True)
class One:
    """A candidate. Its root is its number unless it is given."""

    source: str = "a"
    generation: int = 0
    operator: str = "seed"
    domain: str = "open"
    words: int = 10
    tokens: int = 100
    has_response: bool = True
    difficulty: int = -1
    skills: tuple[str, ...] = ()
    root: int = field(default=-1)


def candidates(ones: Sequence[One], sources: Sequence[str] = ("a", "b", "c")) -> Candidates:
    skills = [skill for one in ones for skill in one.skills]
    names = {
        "operator": sorted({one.operator for one in ones}),
        "domain": sorted({one.domain for one in ones}),
        "skill": sorted(set(skills)),
    }
    roots = [number if one.root < 0 else one.root for number, one in enumerate(ones)]
    return Candidates(
        rows=np.arange(len(ones)),
        roots=np.array(roots, np.uint64),
        generations=np.array([one.generation for one in ones], np.int16),
        sources=np.array([sources.index(one.source) for one in ones], np.int16),
        operators=np.array([names["operator"].index(one.operator) for one in ones], np.int32),
        domains=np.array([names["domain"].index(one.domain) for one in ones], np.int32),
        words=np.array([one.words for one in ones], np.int32),
        tokens=np.array([one.tokens for one in ones], np.int32),
        has_response=np.array([one.has_response for one in ones], np.bool_),
        difficulty=np.array([one.difficulty for one in ones], np.int8),
        skills=np.array([names["skill"].index(skill) for skill in skills], np.int32),
        skill_offsets=np.cumsum([0, *(len(one.skills) for one in ones)]),
        source_names=tuple(sources),
        operator_names=tuple(names["operator"]),
        domain_names=tuple(names["domain"]),
        skill_names=tuple(names["skill"]),
    )


def reasons(ones: Sequence[One], weights: Sequence[float] | None = None, **settings: Any) -> list[str]:
    return [REASONS[number] for number in select(candidates(ones), SelectConfig(**settings), weights)]


def chosen(ones: Sequence[One], weights: Sequence[float] | None = None, **settings: Any) -> list[One]:
    return [one for one, reason in zip(ones, reasons(ones, weights, **settings), strict=True) if not reason]


def varied(number: int) -> list[One]:
    """Records of all kinds, each a root of its own."""
    random = np.random.default_rng(11)
    kinds = random.random((number, 6))
    return [
        One(
            source="abc"[int(kind[0] ** 2 * 3)],
            generation=int(kind[1] ** 2 * 5),
            operator=("deepen", "mutate", "seed")[int(kind[2] * 3)],
            difficulty=int(kind[3] * 10) + 1,
            skills=tuple(skill for skill, has in zip(("Math", "Art"), kind[4:] < 0.4, strict=True) if has),
            tokens=int(kind[5] * 400) + 1,
            root=at,
        )
        for at, kind in enumerate(kinds)
    ]


# --- filters ---


@pytest.mark.parametrize(
    ("settings", "out", "inside", "reason"),
    [
        ({"generations": [1, 2]}, One(generation=0), One(generation=2), "generation"),
        ({"operators": ["seed"]}, One(operator="mutate"), One(operator="seed"), "operator"),
        ({"operators": ["gone"]}, One(), None, "operator"),
        ({"domains": ["code", "math"]}, One(), One(domain="math"), "domain"),
        ({}, One(has_response=False), One(), "no_response"),
        ({"min_words": 10}, One(words=9), One(words=10), "too_short"),
        ({"max_words": 10}, One(words=11), One(words=10), "too_long"),
        ({"min_difficulty": 4}, One(difficulty=3), One(difficulty=4), "too_easy"),
        ({"max_difficulty": 4}, One(difficulty=5), One(difficulty=4), "too_hard"),
        ({"min_difficulty": 1}, One(), One(difficulty=1), "unjudged"),
        ({"max_difficulty": 10}, One(), One(difficulty=10), "unjudged"),
        ({"balance": "difficulty", "records": 9}, One(), One(difficulty=1), "unjudged"),
        ({"balance": "skill", "records": 9}, One(), One(skills=("Art",)), "unjudged"),
    ],
)
def test_a_limit_and_its_near_miss(settings: dict[str, Any], out: One, inside: One | None, reason: str) -> None:
    assert reasons([out], **settings) == [reason]
    if inside:
        assert reasons([inside], **settings) == [""]


def test_names_that_no_record_has_are_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    reasons([One(operator="deepen")], operators=["deepn", "deepen"], domains=["open"])
    assert [record.getMessage() for record in caplog.records] == [
        "select.operators: no record has 'deepn'; there are 'deepen'"
    ]


def test_no_filter_lets_everything_in() -> None:
    assert reasons([One(words=0, tokens=0, has_response=False), One()], require_response=False) == ["", ""]
    assert reasons([]) == []


def test_the_first_reason_counts() -> None:
    worst = One(generation=9, operator="x", domain="x", has_response=False, words=1)
    limits = {"generations": [0], "operators": ["seed"], "domains": ["open"], "min_words": 5, "min_difficulty": 2}
    found = []
    for better in (
        {},
        {"generation": 0},
        {"operator": "seed"},
        {"domain": "open"},
        {"has_response": True},
        {"words": 9},
    ):
        worst = replace(worst, **better)
        found += reasons([worst], **limits)
    assert found == ["generation", "operator", "domain", "no_response", "too_short", "unjudged"]


# --- budgets ---


@pytest.mark.parametrize("records", [1, 7, 500, 999, 1000, 5000])
def test_so_many_records(records: int) -> None:
    found = reasons(varied(1000), records=records)
    assert Counter(found) == Counter({"": min(records, 1000), "over_budget": max(0, 1000 - records)})


@pytest.mark.parametrize("balance", [None, "generation", "source"])
@pytest.mark.parametrize("weights", [None, (1, 2, 3)])
@pytest.mark.parametrize("tokens", [150, 5_000, 90_001])
def test_tokens_are_spent_but_for_less_than_a_record(
    tokens: int, weights: Sequence[float] | None, balance: str
) -> None:
    ones = varied(1000)
    spent = sum(one.tokens for one in chosen(ones, weights, tokens=tokens, balance=balance))
    assert tokens - 400 < spent <= tokens


def test_a_record_beyond_the_token_budget_does_not_end_the_mix() -> None:
    ones = [One(tokens=500), One(tokens=101), One(tokens=50), One(tokens=50)]
    assert reasons(ones, tokens=100) == ["over_budget", "over_budget", "", ""]


def test_both_budgets_hold() -> None:
    ones = [One(tokens=10) for _ in range(20)]
    assert len(chosen(ones, records=5, tokens=100)) == 5
    assert len(chosen(ones, records=15, tokens=100)) == 10


def test_a_larger_mix_holds_the_smaller() -> None:
    ones = varied(500)
    for settings in ({}, {"balance": "operator"}, {"balance": "skill"}, {"order": "hardest"}):
        small, large = (chosen(ones, (3, 2, 1), records=records, **settings) for records in (100, 101))
        assert {one.root for one in small} < {one.root for one in large}


# --- balance and weights ---


@pytest.mark.parametrize("balance", ["generation", "operator", "source", "difficulty"])
def test_shares_are_equal_where_groups_allow(balance: str) -> None:
    ones = varied(1000)
    sizes = Counter(getattr(one, balance) for one in ones)
    counts = Counter(getattr(one, balance) for one in chosen(ones, records=400, balance=balance))
    assert counts.total() == 400 and counts.keys() == sizes.keys()
    open_ended = [counts[group] for group in counts if counts[group] < sizes[group]]
    assert max(open_ended) - min(open_ended) <= 1
    assert all(counts[group] == sizes[group] for group in counts if counts[group] < min(open_ended))


def test_a_record_counts_for_its_rarest_skill() -> None:
    ones = [One(skills=("Art", "Math"))] * 2 + [One(skills=("Math",))] * 5 + [One(skills=("Math", "Code"))] * 3
    counts = Counter(one.skills for one in chosen(ones, records=6, balance="skill"))
    assert counts == {("Art", "Math"): 2, ("Math",): 2, ("Math", "Code"): 2}


def test_skills_are_counted_among_those_that_pass() -> None:
    short = [One(skills=("Art",), words=1)] * 50  # without the filter, Art would be the more frequent
    both, only_math = One(skills=("Art", "Math")), One(skills=("Math",))
    found = chosen([*short, *[both] * 5, *[only_math] * 5], records=6, balance="skill", min_words=5)
    assert Counter(one.skills for one in found) == {("Art", "Math"): 3, ("Math",): 3}


@pytest.mark.parametrize(
    ("weights", "settings", "counts"),
    [
        ((1, 1, 1), {"records": 90}, {"a": 30, "b": 30, "c": 30}),
        ((7, 2, 1), {"records": 100}, {"a": 70, "b": 20, "c": 10}),
        ((1, 1, 8), {"records": 200}, {"a": 70, "b": 70, "c": 60}),  # c has 60 in all
        ((1, 1, 1), {}, {"a": 60, "b": 60, "c": 60}),
        ((5, 2, 1), {}, {"a": 300, "b": 120, "c": 60}),
        ((10, 2, 1), {}, {"a": 500, "b": 100, "c": 50}),
        ((0.7, 0.2, 0.1), {"balance": "operator"}, {"a": 420, "b": 120, "c": 60}),
    ],
)
def test_weights_of_sources(weights: Sequence[float], settings: dict[str, Any], counts: dict[str, int]) -> None:
    ones = [One(source=source) for source, size in (("a", 500), ("b", 200), ("c", 60)) for _ in range(size)]
    assert Counter(one.source for one in chosen(ones, weights, **settings)) == counts


def test_each_weighted_source_is_balanced_by_itself() -> None:
    ones = [One(source="a", generation=at % 2) for at in range(200)]
    ones += [One(source="b", generation=min(at % 10, 1)) for at in range(100)]
    counts = Counter((one.source, one.generation) for one in chosen(ones, (2, 1, 1), records=90, balance="generation"))
    assert counts == {("a", 0): 30, ("a", 1): 30, ("b", 0): 10, ("b", 1): 20}


def test_the_hardest_first_and_unjudged_ones_last() -> None:
    ones = [One(difficulty=difficulty) for difficulty in (3, -1, 9, 10, 9, 1)]
    assert reasons(ones, records=3, order="hardest") == ["over_budget", "over_budget", "", "", "", "over_budget"]
    assert reasons(ones, records=5, order="hardest")[1] == "over_budget"


# --- the same whatever the order ---

SETTINGS: list[tuple[Sequence[float] | None, dict[str, Any]]] = [
    (None, {"records": 200}),
    (None, {"tokens": 20_000}),
    (None, {"records": 300, "tokens": 30_000, "balance": "generation"}),
    (None, {"tokens": 30_000, "balance": "operator"}),
    (None, {"records": 200, "balance": "skill"}),
    (None, {"records": 200, "balance": "difficulty", "order": "hardest"}),
    ((3, 2, 1), {"records": 250, "balance": "skill"}),
    ((0.5, 0.3, 0.2), {"tokens": 25_000}),
    ((0.37, 0.33, 0.3), {}),
    ((5, 1, 3), {"balance": "skill", "generations": [0, 1, 2], "max_difficulty": 8}),
]


@pytest.mark.parametrize(("weights", "settings"), SETTINGS)
def test_neither_the_order_of_records_nor_of_sources_matters(weights: Sequence[float] | None, settings: Any) -> None:
    ones = varied(600)
    expected = {one.root for one in chosen(ones, weights, **settings)}
    shuffled = [ones[at] for at in np.random.default_rng(1).permutation(600)]
    assert 0 < len(expected) < 600
    assert {one.root for one in chosen(shuffled, weights, **settings)} == expected


@pytest.mark.parametrize(("weights", "settings"), SETTINGS)
def test_selecting_from_the_selected_changes_nothing(weights: Sequence[float] | None, settings: Any) -> None:
    once = chosen(varied(600), weights, **settings)
    assert len(chosen(once, weights, **settings)) == len(once)


def test_the_seed_and_the_name_of_the_source_decide_who_is_drawn() -> None:
    ones = [One(root=at) for at in range(300)]
    draws = [chosen(ones, records=100, seed=seed) for seed in (0, 0, 1)]
    draws.append(chosen([replace(one, source="b") for one in ones], records=100))
    roots = [{one.root for one in draw} for draw in draws]
    assert roots[0] == roots[1]
    assert all(15 < len(roots[0] & other) < 60 for other in roots[2:])  # a third of them, by chance


def test_who_comes_in_elsewhere_moves_nobody() -> None:
    ones = varied(300)
    before = select(candidates(ones), SelectConfig(records=100))
    other = [One(source="d", root=at, has_response=False) for at in range(50)]
    after = select(candidates([*other, *ones], ("a", "d", "b", "c")), SelectConfig(records=100))
    assert after[50:].tolist() == before.tolist()


@pytest.mark.parametrize("order", ["random", "hardest", "diverse"])
def test_neither_size_nor_number_of_shards_matters(order: str, tmp_path: Path) -> None:
    ones = varied(200)
    config = SelectConfig(records=60, balance="skill", order=order)
    signatures = np.random.default_rng(2).integers(0, 3, (200, 32), np.uint8)
    found = []
    for size in (200, 64, 7):
        folder = LocalFolder(str(tmp_path / str(size)))
        for shard, start in enumerate(range(0, 200, size)):
            write_run_shard(folder, shard, start, ones[start : start + size])
            write_array(folder, SIGNATURES, shard, signatures[start : start + size])
        index = read_index(folder, ("a", "b", "c"))
        pool = read_candidates(folder, index, np.arange(200) % 9 > 0)
        redundant = partial(redundancy, folder, index, memory_mb=1)
        codes = select(pool, config, (3, 2, 1), redundancy=redundant)
        found.append(pool.roots[codes == 0].tolist())
    assert len(found[0]) == 60 and found[0] == found[1] == found[2]


def write_run_shard(folder: LocalFolder, shard: int, first_row: int, ones: Sequence[One]) -> None:
    lineage = [
        {"root_id": f"{one.root:016x}", "generation": one.generation, "source": one.source, "operator": one.operator}
        for one in ones
    ]
    measured = [{"words": one.words, "response_words": 5, "tokens": one.tokens} for one in ones]
    judged = [
        {"row": row, "difficulty": one.difficulty, "skills": one.skills} for row, one in enumerate(ones, first_row)
    ]
    write_rows(folder, f"records/{shard:05d}.parquet", lineage, RECORDS_SCHEMA)
    write_rows(folder, f"features/{shard:05d}.parquet", measured, FEATURES_SCHEMA)
    write_rows(folder, f"judged/{shard:05d}.parquet", judged, JUDGED_SCHEMA)


# --- orders that something else decides ---


def test_the_least_redundant_first() -> None:
    def redundancy(rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        assert rows.tolist() == [1, 2, 3] and sorted(ranks) == [0, 1, 2]
        return np.array([0.5, 0.0, 2.0])

    pool = candidates([One(has_response=False), One(), One(), One()])
    found = select(pool, SelectConfig(records=2, order="diverse"), redundancy=redundancy)
    assert [REASONS[number] for number in found] == ["no_response", "", "", "over_budget"]


def test_the_least_redundant_gets_each_ranks_own_place() -> None:
    """A redundancy that is the rank itself must not change the random order."""
    ones = varied(200)
    at_random = select(candidates(ones), SelectConfig(records=50))
    diverse = select(
        candidates(ones),
        SelectConfig(records=50, order="diverse"),
        redundancy=lambda _, ranks: ranks.astype(np.float64),
    )
    assert diverse.tolist() == at_random.tolist()


def vectors_by_row(rows: np.ndarray) -> np.ndarray:
    """Four corners of a square, over and over; the farther ones slightly off."""
    angles = (rows % 4) * np.pi / 2 + rows // 4 * 0.001
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_farthest_first() -> None:
    pool = candidates([One()] * 40)
    found = select(pool, SelectConfig(records=4, order="embedding"), vectors=vectors_by_row)
    assert sorted(np.flatnonzero(found == 0) % 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("weights", [None, (1, 1, 2)])
def test_farthest_with_balance_weights_and_tokens(weights: Sequence[float] | None) -> None:
    ones = [One(generation=at % 2, source="ac"[at // 2 % 2], tokens=10 + at % 3) for at in range(80)]
    done = []
    config = SelectConfig(tokens=300, order="embedding", balance="generation")
    found = select(candidates(ones), config, weights, vectors=vectors_by_row, progress=lambda *now: done.append(now))
    inside = [one for one, number in zip(ones, found, strict=True) if number == 0]
    assert 300 - 12 < sum(one.tokens for one in inside) <= 300
    counts = Counter(one.generation for one in inside)
    assert abs(counts[0] - counts[1]) <= (1 if weights is None else 2)
    if weights:
        assert abs(2 * sum(one.source == "a" for one in inside) - sum(one.source == "c" for one in inside)) <= 2
    assert done[0] == (1, 80)


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"balance": "colour"}, "select.balance is 'colour'; expected generation, operator"),
        ({"order": "best"}, "select.order is 'best'; expected random"),
        ({"records": 0}, "select.records is 0; expected a number from 1 on"),
        ({"tokens": -5}, "select.tokens is -5"),
        ({"min_difficulty": 11}, "select.min_difficulty is 11; expected 1 to 10"),
        ({"min_words": 9, "max_words": 5}, "select.min_words is 9 and max_words 5"),
        ({"balance": "operator"}, "shares out a budget; set select.records"),
        ({"order": "diverse"}, "says who fills a budget"),
        ({"balance": "source", "records": 5}, "needs several sources"),
        ({"min_difficulty": 3}, "set judging.difficulty=true"),
        ({"order": "hardest", "records": 5}, "set judging.difficulty=true"),
        ({"balance": "skill", "records": 5}, "set judging.skills=true"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        check_select(RefineConfig(select=SelectConfig(**settings)), num_sources=1, weighted=False)


def test_settings_that_can_be_meant() -> None:
    check_select(RefineConfig(), 1, False)
    check_select(RefineConfig(select=SelectConfig(order="diverse", balance="operator")), 2, True)
    check_select(RefineConfig(select=SelectConfig(balance="source", records=5)), 2, False)
    judging = JudgingConfig(difficulty=True, skills=True)
    check_select(
        RefineConfig(judging=judging, select=SelectConfig(balance="skill", records=1, min_difficulty=3)), 1, False
    )
    with pytest.raises(UserError, match="contradict"):
        check_select(RefineConfig(select=SelectConfig(balance="source", records=5)), 2, True)


def test_reasons_fit_a_byte_and_are_known() -> None:
    assert len(set(REASONS)) == len(REASONS) <= 256
    assert [code(reason) for reason in REASONS] == list(range(len(REASONS)))
