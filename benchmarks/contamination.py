"""Which planted benchmark items `evolray refine` finds in 20,000 real records, and what it calls a leak in real data.

    python benchmarks/contamination.py DATA_DIR [--records 20000] [--kinds verbatim,...] [--missed 5]
    python benchmarks/contamination.py DATA_DIR --alarms seeds/alpaca_5000.json seeds/code_alpaca_new_4535.json

DATA_DIR holds the released files that BENCHMARKS and SEEDS name. The records are the seeds; where these are too few,
two of them, one after the other, make a further one. For every kind of leak, each item of every benchmark is planted in
a record of its own, and the records go through the step as the stage runs it, from shards to shards.

    verbatim             the question as the instruction, with its solution, or as a paragraph of the host's instruction
    one sentence of several paraphrased   the same, but a sentence that states a requirement is reworded by rule
    the only sentence paraphrased         the same for questions of a single sentence: nothing is left as it was
    translated comments  code benchmarks: docstring, comments and question in another vocabulary, the code as it is
    solution alone       the solution as the response to the host's instruction

`--alarms` plants nothing, and prints every leak found, to be looked at.
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from evolray.config import ContaminationConfig
from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.pool.seeds import read_seeds
from evolray.pool.shards import read_rows
from evolray.records import Seed
from evolray.refine.index import read_index
from evolray.refine.leaks.items import Item, read_benchmarks
from evolray.refine.leaks.step import find_leaks
from evolray.refine.tables import LEAKS, RECORDS, RECORDS_SCHEMA, write_rows

BENCHMARKS = {
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "mbpp": "mbpp/mbpp.test.jsonl",
    "gsm8k": "gsm8k/gsm8k_test.jsonl",
    "math": "math/MATH_test_subset_499.jsonl",
    "mt_bench": "mt_bench/question.jsonl",
    "alpaca_eval": "alpaca_eval/text_davinci_003_outputs.json",
    "wizardlm": "wizardlm/WizardLM_testset.jsonl",
    "vicuna_bench": "vicuna_bench/question.jsonl",
}
SEEDS = (
    "seeds/alpaca_5000.json", "seeds/code_alpaca_2k.json", "seeds/code_alpaca_new_4535.json",
    "seeds/self_instruct_seed_tasks.jsonl", "seeds/self_instruct_user_oriented_252.jsonl",
    "chat/dummy_conversation.json",
)  # fmt: skip
SHARD = 10_000
VERBATIM, TRANSLATED, ALONE = "verbatim", "translated comments", "solution alone"
PARAPHRASED, ALL_PARAPHRASED = "one sentence of several paraphrased", "the only sentence paraphrased"
KINDS = (VERBATIM, PARAPHRASED, ALL_PARAPHRASED, TRANSLATED, ALONE)

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_REQUIREMENT = re.compile(r"\b(?:must|should|only|at least|at most|each|every|given|exactly|without|if|than)\b", re.I)
_OTHER_WORDS = dict(
    pair.split("=")
    for pair in """write=compose create=produce find=determine given=provided list=sequence number=value numbers=values
    string=text return=yield returns=yields function=routine how=in_what_way many=large_a_number what=which is=equals
    are=happen_to_be should=needs_to must=has_to each=every_single all=the_whole_of if=in_case first=initial last=final
    check=verify whether=if the=this total=overall does=did will=is_going_to make=build explain=describe give=provide
    has=owns have=own gets=receives buys=purchases per=for_each and=as_well_as more=additional less=fewer every=each
    days=full_days hours=full_hours value=quantity point=spot using=by_means_of suppose=assume compute=work_out
    evaluate=work_out simplify=reduce express=state answer=reply can=could you=one i=we my=our a=one
    in=within""".split()
)
_FOREIGN = """die eine Zahl Liste gibt wenn nicht Wert für jede zurück Funktion und der erste mit aus größer kleiner
    Zeichen alle sind wird Summe Länge oder dann sonst zwischen Reihenfolge Ergebnis""".split()


class Planted(NamedTuple):
    records: list[dict[str, str]]
    rows: dict[int, Item]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--missed", type=int, default=0, help="print so many missed items of each kind")
    parser.add_argument("--alarms", nargs="*", default=[], help="files below DATA_DIR to be searched as they are")
    options = parser.parse_args()
    items = read_benchmarks({name: str(options.data / file) for name, file in BENCHMARKS.items()})
    for file in options.alarms:
        _print_alarms(file, _read(options.data / file), items)
    if not options.alarms:
        _measure(options, items)


def _measure(options: argparse.Namespace, items: Sequence[Item]) -> None:
    hosts = _hosts(options.data, options.records)
    leaks, seconds = _search(hosts, items)
    leaking = {leak["row"] for leak in leaks}
    by_name = Counter(leak["benchmark"] for leak in leaks)
    counted = ", ".join(f"{number} of {name}" for name, number in sorted(by_name.items()))
    print(f"as they are, {len(leaking):,} of them leak: {counted}; {seconds:.1f} CPU s")
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for kind in options.kinds.split(","):
        planted = _plant(kind, hosts, items)
        leaks, seconds = _search(planted.records, items)
        hit = {(leak["row"], leak["benchmark"], leak["item"]) for leak in leaks}
        missed = [one for row, one in planted.rows.items() if (row, one.benchmark, one.id) not in hit]
        whole, lost = (Counter(one.benchmark for one in many) for many in (planted.rows.values(), missed))
        found |= {(kind, name): (whole[name] - lost[name], whole[name]) for name in BENCHMARKS}
        others = {leak["row"] for leak in leaks} - set(planted.rows) - leaking
        rate = seconds / len(planted.records) * 100_000
        print(f"{kind}: {len(others)} further records; {rate:.1f} CPU s per 100,000 records")
        for item in missed[: options.missed]:
            print(f"    missed {item.benchmark} {item.id}: {item.question[:100]!r} {item.solution[:60]!r}")
    print(f"\n| benchmark | {' | '.join(options.kinds.split(','))} |\n|{' --- |' * (1 + options.kinds.count(',') + 1)}")
    for name in BENCHMARKS:
        cells = [found[kind, name] for kind in options.kinds.split(",")]
        shown = [f"{hits} of {whole} ({hits / whole:.1%})" if whole else "" for hits, whole in cells]
        print(f"| {name} | {' | '.join(shown)} |")


def _search(records: Sequence[dict[str, str]], items: Sequence[Item]) -> tuple[list[dict[str, Any]], float]:
    """The rows of leaks/ of all records, and the CPU seconds that the step took for them."""
    with tempfile.TemporaryDirectory() as place:
        folder = open_folder(place)
        for shard in range(-(-len(records) // SHARD)):
            rows = [_row(number, record) for number, record in enumerate(records[shard * SHARD : (shard + 1) * SHARD])]
            write_rows(folder, shard_name(RECORDS, shard), rows, RECORDS_SCHEMA)
        index = read_index(folder, ("seeds",))
        found = find_leaks(items, ContaminationConfig())
        assert found is not None  # there are items
        step = found.of(index, np.ones(len(index), bool))
        begin = time.process_time()
        for shard in index.shards:
            step.run(folder, shard)
        seconds = time.process_time() - begin
        return list(_leak_rows(folder, index.shards)), seconds


def _leak_rows(folder: Folder, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        yield from read_rows(folder, shard_name(LEAKS, shard))


def _row(number: int, record: dict[str, str]) -> dict[str, Any]:
    empty = {"domain": "", "operator": "seed", "variant": "", "teacher": "", "context": []}
    root = f"{number:016x}"
    return empty | record | {"id": f"{root}.g0", "root_id": root, "generation": 0, "source": "seeds"}


def _read(file: Path) -> list[dict[str, str]]:
    seeds = (seed for seed in read_seeds(str(file)) if isinstance(seed, Seed))
    return [{"instruction": seed.text, "response": seed.response} for seed in seeds]


def _hosts(data: Path, number: int) -> list[dict[str, str]]:
    """The real records, and further ones made of two of them."""
    real = [record for file in SEEDS for record in _read(data / file)]
    random = Random("contamination")
    hosts = real[:number]
    while len(hosts) < number:
        one, other = random.sample(real, 2)
        hosts.append({key: f"{one[key]}\n\n{other[key]}" for key in ("instruction", "response")})
    print(
        f"{number:,} records: {min(number, len(real)):,} real ones, {max(0, number - len(real)):,} made of two of them"
    )
    return hosts


def _plant(kind: str, hosts: Sequence[dict[str, str]], items: Sequence[Item]) -> Planted:
    """Every item that has what `kind` takes, in a host of its own."""
    random = Random(kind)
    usable = [item for item in items if _is_usable(kind, item)]
    places = random.sample(range(len(hosts)), len(usable))
    records = list(hosts)
    for place, item in zip(places, usable, strict=True):
        records[place] = _with_leak(kind, hosts[place], item, random)
    return Planted(records, dict(zip(places, usable, strict=True)))


def _is_usable(kind: str, item: Item) -> bool:
    if kind in (PARAPHRASED, ALL_PARAPHRASED):
        return (len(_sentences(item.question)) > 1) == (kind == PARAPHRASED)
    return kind == VERBATIM or (bool(item.solution) if kind == ALONE else item.is_code)


def _sentences(question: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(question) if len(sentence.split()) > 3]


def _with_leak(kind: str, host: dict[str, str], item: Item, random: Random) -> dict[str, str]:
    signature = re.sub(r"(\"{3}|'{3})[\s\S]*?\1", "", item.question).rstrip() if "def " in item.question else ""
    solution = f"```python\n{signature}\n{item.solution}\n```" if item.is_code else item.solution
    if kind == ALONE:
        return host | {"response": f"Here is how.\n\n{solution}\n\nI hope this helps."}
    if kind == TRANSLATED:
        question = _translated(item.question, "def " in item.question)
        program = _translated(item.solution, is_code=True)
        whole = question + program if question.rstrip().endswith(('"""', "'''")) else program
        return {"instruction": question, "response": f"```python\n{whole}\n```"}
    question = item.question if kind == VERBATIM else _reworded(item.question)
    if random.random() < 0.5:
        return {"instruction": question, "response": host["response"]}
    return host | {"instruction": f"{host['instruction']}\n\n{question}"}


def _reworded(question: str) -> str:
    """One sentence with other words where there are any, and begun in another way."""
    sentences = _sentences(question)
    required = [sentence for sentence in sentences if _REQUIREMENT.search(sentence) and ">>>" not in sentence]
    chosen = max(required or sentences or [question], key=len)
    words = [_OTHER_WORDS.get(word.lower(), word).replace("_", " ") for word in chosen.split(" ")]
    return question.replace(chosen, f"Please note this: {' '.join(words)}", 1)


def _translated(text: str, is_code: bool) -> str:
    """Docstrings (all but the examples) and comments, or prose that is no code at all, in foreign words."""
    if not is_code:
        return _foreign(text)
    text = re.sub(r"(\"{3}|'{3})([\s\S]*?)\1", lambda found: found[1] + _foreign(found[2]) + found[1], text)
    text = re.sub(r"#[^\n]*", lambda found: "#" + _foreign(found[0][1:]), text)
    return re.sub(r"(def [^\n]*:[ \t\r]*\n)([ \t]+)", r"\1\2# Das ist die Lösung zu der Aufgabe.\n\2", text)


def _foreign(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(line if re.search(r">>>|==|\(.*\)|^\s*[\[\d]", line) else _foreign_line(line) for line in lines)


def _foreign_line(line: str) -> str:
    def other(found: "re.Match[str]") -> str:
        return _FOREIGN[hashlib.blake2b(found[0].encode(), digest_size=1).digest()[0] % len(_FOREIGN)]

    return re.sub(r"[A-Za-z]{2,}", other, line)


def _print_alarms(file: str, records: Sequence[dict[str, str]], items: Sequence[Item]) -> None:
    by_id = {(item.benchmark, item.id): item for item in items}
    leaks, _ = _search(records, items)
    print(f"{file}: {len(leaks)} leaks in {len({leak['row'] for leak in leaks})} of {len(records):,} records")
    for leak in leaks:
        item, record = by_id[leak["benchmark"], leak["item"]], records[leak["row"]]
        print(f"  entry {leak['row']}: {leak['benchmark']} {leak['item']}, {leak['where']}, {leak['score']:.2f}")
        for name, text in (("record", json.dumps(record)), ("item", item.question), ("evidence", leak["evidence"])):
            print(f"    {name}: {text[:300]!r}")


if __name__ == "__main__":
    main()
