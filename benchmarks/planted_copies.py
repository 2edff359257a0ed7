"""Texts of made-up words and programs, a part of them planted as near-copies of others: what the benchmark looks for.

Imported by near_duplicates.py, not run.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from random import Random

from evolray.records import Seed

SHARE_PLANTED = 0.1
KINDS = ("1 word", "3 words", "10 words", "sentences reordered", "variables renamed")
_SYLLABLES = (
    "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu zan ber con del fer gri hol int jas kel".split()
)
_COMMON = (
    "the of and to a in is that for it as with on be at by this from or an are which you all each their one if will "
    "how when what your can no more than then so must should write explain describe list create give using between two"
).split()
_STATEMENTS = (
    "{0} = {1} + {n}", "{0} = {f}({1}, {n})", "for {2} in {f}({1}):\n    {0} += {2} * {n}",
    "if {0} > {n}:\n    {1} = {f}({0})",
    "while {0} < {n}:\n    {0} = {0} * {n} + {1}", "{2} = [{f}({0}) for {0} in {1} if {0} % {n}]", "{1}.{f}({0}, {n})",
    "{0}, {1} = {1}, {f}({2})",
    "try:\n    {0} = {1}[{n}]\nexcept {F}Error:\n    {0} = {n}", "{2} = {f}({f2}({0}), '{f}')",
    "print({f}({0}), {1})", "{0}['{f}'] = {1}[{n}:{2}]", "assert {0} != {f}({1}), {n}", "{1} = {0}.{f}().{f2}({n})",
)  # fmt: skip


def make_words() -> list[str]:
    random = Random("words")
    return _COMMON + ["".join(random.choices(_SYLLABLES, k=random.choice((2, 2, 3, 4)))) for _ in range(20_000)]


WORDS = make_words()
WEIGHTS = list(accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))  # Zipf and Mandelbrot


@dataclass(frozen=True)
class Planted:
    kind: str
    original: str
    copy: str


def prose(random: Random) -> str:
    """1 to 14 sentences, most texts short: 10 to 250 words."""
    number = round(2 ** random.uniform(0, 3.8))
    sentences = (random.choices(WORDS, cum_weights=WEIGHTS, k=random.randrange(8, 22)) for _ in range(number))
    return " ".join(" ".join(words).capitalize() + "." for words in sentences)


def program(random: Random, names: Sequence[str]) -> str:
    """A function of 4 to 15 statements; `random` decides everything but the names."""
    lines = [f"def {names[0]}({names[1]}, {names[2]}):", f"    {', '.join(names[3:])} = 0, 1, []"]
    for _ in range(random.randrange(4, 16)):
        called, other = random.choices(WORDS[len(_COMMON) : 2000], k=2)
        places = random.choices(range(1, len(names)), k=3)
        statement = random.choice(_STATEMENTS).format(
            *(names[place] for place in places), n=random.randrange(100), f=called, f2=other, F=other.capitalize()
        )
        lines += ["    " + line for line in statement.split("\n")]
    return "\n".join([*lines, f"    return {names[random.randrange(1, len(names))]}"])


def question_about_code(number: int, naming: str) -> str:
    """Fenced and unfenced programs below a sentence of prose; the same `number` differs in names alone."""
    random, names = Random(f"code {number}"), Random(f"{naming} {number}").sample(WORDS[len(_COMMON) :], 6)
    intro = " ".join(random.choices(WORDS, cum_weights=WEIGHTS, k=random.randrange(6, 15))).capitalize()
    code = program(random, names)
    return f"{intro}:\n\n```python\n{code}\n```" if random.random() < 0.5 else f"{intro}:\n\n{code}"


def edited(random: Random, text: str, number: int) -> str:
    """So many words replaced, removed or put in, each at another place."""
    words = text.split(" ")
    for place in sorted(random.sample(range(len(words)), min(number, len(words))), reverse=True):
        new = random.choice(WORDS)
        words[place : place + 1] = random.choice(([new], [], [words[place], new]))
    return " ".join(words)


def reordered(random: Random, text: str) -> str:
    sentences = text.removesuffix(".").split(". ")
    return ". ".join(random.sample(sentences, len(sentences))) + "."


def plant(random: Random, kind: str, text: str) -> str:
    return reordered(random, text) if kind == KINDS[3] else edited(random, text, int(kind.split()[0]))


def make_texts(number: int, data: Path | None) -> tuple[list[str], list[Planted]]:
    """All texts, shuffled, and what is planted in them: each copy is of a text of its own, real ones first."""
    random = Random("texts")
    real = [] if data is None else list(dict.fromkeys(real_texts(data)))
    random.shuffle(real)
    copies = int(number * SHARE_PLANTED) // len(KINDS)
    planted, used = [], set[str]()
    for kind in KINDS[:-1]:
        enough = 40 if kind == "10 words" else 8
        sources = chain(real, iter(lambda: prose(random), None))
        fitting = (one for one in sources if one not in used and len(one.split()) >= enough and one.count(". ") > 1)
        for original in islice(fitting, copies):
            used.add(original)
            planted.append(Planted(kind, original, plant(random, kind, original)))
    for n in range(copies):
        planted.append(Planted(KINDS[-1], question_about_code(n, "names"), question_about_code(n, "other names")))
    texts = [text for one in planted for text in (one.original, one.copy)]
    texts += [text for text in real if text not in used][: number - len(texts)]
    while len(texts) < number:
        texts.append(prose(random) if random.random() < 0.7 else question_about_code(number + len(texts), "names"))
    random.shuffle(texts)
    return texts, planted


def real_texts(path: Path) -> Iterator[str]:
    for entry in json.loads(path.read_text(encoding="utf-8")):
        yield Seed(entry["instruction"], entry.get("input", "")).text


# --- evolray ---
