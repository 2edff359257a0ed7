"""Leaks of small benchmarks in small records: what is found, what is not, and what is written down."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.config import ContaminationConfig
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder, shard_name
from evolray.pool.seeds import read_seeds
from evolray.pool.shards import read_rows
from evolray.records import Seed
from evolray.refine.index import read_index
from evolray.refine.leaks.finder import Leak, LeakFinder
from evolray.refine.leaks.items import Item, read_benchmarks
from evolray.refine.leaks.step import FindLeaks, find_leaks
from evolray.refine.tables import LEAKS, RECORDS, RECORDS_SCHEMA, write_rows

DATA = Path(__file__).parents[4] / "shared/data"
WORD_PROBLEM = (
    "Mara picks 14 baskets of plums in the orchard before noon and twice as many in the afternoon. "
    "She gives 5 baskets to her neighbour, and sells the others at the market for 3 euros each. "
    "How many euros does she earn at the market that day?"
)
WORKED = (
    "In the afternoon Mara picks 14 * 2 = <<14*2=28>>28 baskets, so 14 + 28 = 42 baskets on that day. After the gift "
    "there are 42 - 5 = 37 baskets to be sold.\n#### 111"
)
SHORT = "How did plums get their name?"
SUM = "What is 2 + 3?"
FUNCTION = '''from typing import List


def plum_runs(baskets: List[int], limit: int) -> List[List[int]]:
    """ Split the baskets into runs of neighbours whose weights differ by at most the limit.
    >>> plum_runs([1, 2, 9], 1)
    [[1, 2], [9]]
    """
'''
BODY = """    runs = []
    for basket in baskets:
        if runs and abs(runs[-1][-1] - basket) <= limit:
            runs[-1].append(basket)
        else:
            runs.append([basket])
    return runs
"""
ITEMS = (
    Item("code", "Plum/0", FUNCTION, BODY, is_code=True),
    Item("math", "1", WORD_PROBLEM, WORKED),
    Item("short", "1", SHORT, ""),
    Item("short", "2", SUM, ""),
    Item("short", "3", "Hello?", ""),
)
TRANSLATED = FUNCTION.replace(
    "Split the baskets into runs of neighbours whose weights differ by at most the limit.",
    "Teile die Körbe in Läufe von Nachbarn, deren Gewicht sich höchstens um die Grenze unterscheidet.",
)


@pytest.fixture(scope="module")
def finder() -> LeakFinder:
    return LeakFinder(ITEMS, ContaminationConfig())


def find(finder: LeakFinder, instruction: str, response: str = "") -> list[Leak]:
    return finder.find([instruction], [response])


@pytest.mark.parametrize(
    ("instruction", "response", "item", "where"),
    [
        (WORD_PROBLEM, "", 1, "question in instruction"),
        (f"Be brief.\n\n{WORD_PROBLEM.upper()}\n\nThanks!", "", 1, "question in instruction"),
        (WORD_PROBLEM.partition(". ")[2], "", 1, "question in instruction"),
        ("Make up an exercise.", f"Here is one: {WORD_PROBLEM}", 1, "question in response"),
        ("How many?", WORKED.replace("<<14*2=28>>", ""), 1, "solution in response"),
        (f"Is this right? {WORKED}", "", 1, "solution in instruction"),
        (SHORT, "", 2, "question in instruction"),
        (f"I wonder. {SHORT} Please tell me.", "", 2, "question in instruction"),
        ("Ask me something.", f"- {SHORT}\n- Why?", 2, "question in response"),
        ("what is 2+3", "", 3, "question in instruction"),
        ("hello", "", 4, "question in instruction"),
        (FUNCTION, "", 0, "question in instruction"),
        (f"Complete this:\n```python\n{FUNCTION}```", "", 0, "question in instruction"),
        (TRANSLATED, "", 0, "question in instruction"),
        ("Do it.", f"```python\ndef runs_of(baskets, limit):\n{BODY}\n```\nThat is all.", 0, "solution in response"),
        ("Do it.", f"def plum_runs(baskets, limit):\n    # Läufe\n{BODY}", 0, "solution in response"),
        (f"Explain:\n```\n{BODY.replace('    ', '  ')}```", "", 0, "solution in instruction"),
    ],
)
def test_a_leak(finder: LeakFinder, instruction: str, response: str, item: int, where: str) -> None:
    found = find(finder, instruction, response)
    assert [(leak.item, leak.kind, leak.where) for leak in found] == [(ITEMS[item], "ngram", where)]
    assert 0.5 <= found[0].score <= 1 + 1e-9
    assert found[0].evidence


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        ("", ""),
        ("How many baskets of plums are there?", "There are 14 baskets of plums in the orchard before noon."),
        (
            "All the people of this old village would like to hear how did plums get their name",
            "",
        ),  # part of another question
        ("What is 2 - 3?", "What is 2 * 3?"),
        ("What is 12 + 3?", ""),
        ("Say hello", "Hello?"),  # one word is looked for as the whole instruction only
        ("from typing import List\n\n\ndef other(baskets: List[int], limit: int) -> List[List[int]]:\n    pass", ""),
        ("Write it.", "def f(xs):\n    ys = []\n    for x in xs:\n        ys.append([x])\n    return ys"),
        ("Split a list", "Split the list into runs of numbers whose values differ by at most one."),
        ("\x00\x1b[2J \u202e" * 2_000, "```" * 5_000),
    ],
)
def test_no_leak(finder: LeakFinder, instruction: str, response: str) -> None:
    assert find(finder, instruction, response) == []


def test_words_changed_here_and_there(finder: LeakFinder) -> None:
    changed = (
        "Mara picks 14 baskets of plums in an orchard before noon and twice as much in the afternoon. "
        "She gives 5 baskets to a neighbour, and sells all others at the market for 3 coins each. "
        "How many coins does she earn at this market that day?"
    )
    (leak,) = find(finder, f"Hi there, I have got some homework.\n\n{changed}\n\nShow every step, please.")
    assert (leak.item.id, leak.kind, leak.where) == ("1", "similarity", "question and instruction")
    assert 0.5 <= leak.score < 1
    assert find(LeakFinder(ITEMS, ContaminationConfig(similarity=0.99)), changed) == []


def test_the_strongest_leak_of_each_item_is_told(finder: LeakFinder) -> None:
    found = finder.find([SHORT, f"{WORD_PROBLEM[:60]}. {SHORT}"], [f"{WORD_PROBLEM} {WORKED}", FUNCTION])
    assert [(leak.text, leak.item.benchmark, leak.where, round(leak.score, 6)) for leak in found] == [
        (0, "math", "question in response", 1.0),
        (0, "short", "question in instruction", 1.0),
        (1, "code", "question in response", 1.0),
        (1, "short", "question in instruction", 1.0),
    ]


def test_evidence_is_the_longest_passage_and_short() -> None:
    text = " ".join(f"plum{n} falls" for n in range(200))
    (leak,) = LeakFinder([Item("b", "1", text, "")], ContaminationConfig()).find([f"plum0 falls x {text}"], [""])
    assert leak.evidence == text[:300]


@pytest.mark.parametrize("overlap", [0.2, 0.5, 0.9])
def test_overlap_is_the_share_of_a_long_question(overlap: float) -> None:
    """Words of equal weight: 40 of 100 are found."""
    item = Item("b", "1", " ".join(f"word{n}" for n in range(100)), "")
    text = " ".join(f"word{n}" for n in range(40)) + " and more of the kind"
    found = find(LeakFinder([item], ContaminationConfig(overlap=overlap, similarity=1.0)), text)
    assert [round(leak.score, 6) for leak in found] == ([0.4] if overlap <= 0.4 else [])


def test_items_by_themselves(finder: LeakFinder) -> None:
    """No kind of item is needed by another, and without any nothing is found."""
    assert LeakFinder([], ContaminationConfig()).find([WORD_PROBLEM], [BODY]) == []
    for item in ITEMS:
        alone = LeakFinder([item], ContaminationConfig())
        assert [leak.item for leak in alone.find([item.question], [""])] == [item]
        assert alone.find([""], [""]) == alone.find([], []) == []


@pytest.mark.parametrize(("setting", "value"), [("ngram", 1), ("overlap", 0.0), ("overlap", 1.5), ("similarity", 0.0)])
def test_settings_out_of_range(setting: str, value: float) -> None:
    settings = ContaminationConfig()
    setattr(settings, setting, value)
    with pytest.raises(UserError, match=rf"contamination\.{setting} is {value}"):
        LeakFinder(ITEMS, settings)


# --- the step ---


def record(number: int, instruction: str, response: str = "", **other: Any) -> dict[str, Any]:
    root = f"{number:016x}"
    ids = {"id": f"{root}.g0", "root_id": root, "generation": 0, "source": "seeds", "context": []}
    return ids | {"instruction": instruction, "response": response} | other


def run_step(place: Path, still_in: list[bool]) -> tuple[LocalFolder, list[dict[str, int]]]:
    """Two shards with the numbers 0 and 3."""
    folder = LocalFolder(str(place))
    turns = [{"role": "user", "content": WORD_PROBLEM}, {"role": "assistant", "content": "111"}]
    shards = {
        0: [record(1, "Fine."), record(2, SHORT, source="pool"), record(3, "And now?", context=turns)],
        3: [record(4, f"{SHORT}\n{SUM}"), record(5, "Fine.", WORD_PROBLEM)],
    }
    for shard, rows in shards.items():
        write_rows(folder, shard_name(RECORDS, shard), rows, RECORDS_SCHEMA)
    index = read_index(folder, ("seeds", "pool"))
    found = find_leaks(ITEMS, ContaminationConfig())
    assert found is not None and find_leaks([], ContaminationConfig()) is None
    step: FindLeaks = pickle.loads(pickle.dumps(found.of(index, np.array(still_in))))
    return folder, [step.run(folder, shard) for shard in (3, 0)]


def test_what_the_step_writes(tmp_path: Path) -> None:
    folder, counts = run_step(tmp_path, [True] * 5)
    assert counts == [
        {"checked": 2, "leaks": 2, "leaks.math": 1, "leaks.short": 1},
        {"checked": 3, "leaks": 2, "leaks.math": 1, "leaks.short": 1},
    ]
    rows = [row for shard in (0, 3) for row in read_rows(folder, shard_name(LEAKS, shard))]
    assert [(row["row"], row["source"], row["benchmark"], row["item"], row["where"]) for row in rows] == [
        (1, "pool", "short", "1", "question in instruction"),
        (2, "seeds", "math", "1", "question in instruction"),
        (3, "seeds", "short", "1", "question in instruction"),
        (3, "seeds", "short", "2", "question in instruction"),
        (4, "seeds", "math", "1", "question in response"),
    ]
    assert rows[0]["id"] == f"{2:016x}.g0"
    assert (rows[0]["kind"], rows[0]["score"], rows[0]["evidence"]) == ("ngram", 1.0, SHORT)


def test_records_that_are_out_are_not_looked_at(tmp_path: Path) -> None:
    folder, counts = run_step(tmp_path, [True, False, True, True, False])
    assert [one["checked"] for one in counts] == [1, 2]
    rows = [row["row"] for shard in (0, 3) for row in read_rows(folder, shard_name(LEAKS, shard))]
    assert rows == [2, 3, 3]


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    one, other = (run_step(tmp_path / name, [True] * 5)[0] for name in ("one", "other"))
    for shard in (0, 3):
        assert one.read(shard_name(LEAKS, shard)) == other.read(shard_name(LEAKS, shard))


# --- the released data ---


@pytest.mark.skipif(not DATA.exists(), reason="the released data is not at hand")
def test_every_question_is_found_in_the_released_benchmarks_and_few_things_in_alpaca() -> None:
    files = {"humaneval": "humaneval/HumanEval.jsonl.gz", "mt_bench": "mt_bench/question.jsonl"}
    files |= {"wizardlm": "wizardlm/WizardLM_testset.jsonl", "vicuna_bench": "vicuna_bench/question.jsonl"}
    items = read_benchmarks({name: str(DATA / file) for name, file in files.items()})
    finder = LeakFinder(items, ContaminationConfig())
    found = {(leak.text, leak.item) for leak in finder.find([item.question for item in items], [""] * len(items))}
    assert found >= set(enumerate(items))
    entries = read_seeds(str(DATA / "seeds/alpaca_5000.json"))
    seeds = [seed for seed in entries if isinstance(seed, Seed)]
    leaks = finder.find([seed.text for seed in seeds], [seed.response for seed in seeds])
    assert [(leak.item.benchmark, leak.item.id, leak.evidence) for leak in leaks] == [
        ("mt_bench", "99 turn 2", "Prove the Pythagorean theorem.")
    ]
