"""What is measured of each record without asking anybody: length, requirements stated, steps taken.

Free companions of the judge's difficulty: Evol-Instruct adds a constraint or a reasoning step at a time (WizardLM,
arXiv 2304.12244 §3), so both counts should rise with the generation. They are counted by rule, in English, and mean
something on average over many records; for a single text they are a hint.

    words           as they are compared everywhere (text/words.py); a text without any, such as one of emoji or signs
                    alone, has its runs of non-blanks counted: 0 says that it is blank
    tokens          characters of instruction, context and response, by 4, rounded up: the rule of thumb for English
    constraints     clauses of the instruction that hold one of `_REQUIREMENT`; a clause ends at a full stop, a comma,
                    a semicolon, a line's end, "and", "but" and "while". An item of a list that such words as
                    "requirements:" open counts in any case
    steps           of the response, the largest of: numbered lines and "Step 2"; clauses that "first", "then",
                    "finally" begin; lines that equate numbers ("3 + 4 = 7"; in domain math, any line with "=")

Fenced code is no part of constraints and steps.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.refine.steps.step import Counts
from evolray.refine.tables import FEATURES, FEATURES_SCHEMA, RECORDS, write_table
from evolray.refine.text.words import words

CHARS_PER_TOKEN = 4
COLUMNS = ["domain", "instruction", "response", "context"]

_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_CLAUSE_END = re.compile(r"[.!?;:,\n]+(?=\s|\Z)|\b(?:and|but|while)\b", re.IGNORECASE)
_NUMBER = r"(?:\d[\w.,]{0,30}|an?\b|one\b|two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b|ten\b)"
_REQUIREMENT = re.compile(
    rf"""\b(?: must | should | shall | (?:has|have|needs?|required)\ to | (?:is|are)\ required | requires?
        | ensur(?:e|es|ing) | make\ sure | making\ sure | guarantee(?:s|ing)?
        | at\ (?:least|most) | exactly | no\ (?:more|less|fewer|later|longer)\ than
        | (?:more|less|fewer|greater|larger|smaller|longer|shorter)\ than\ {_NUMBER}
        | up\ to\ {_NUMBER} | (?:within|under|below|over|above|between)\ \d[\w.,]{{0,30}}
        | (?:limit|restrict)(?:ed|ing)?\ .{{0,60}}\bto
        | (?:maximum|minimum)\ of | without | avoid(?:s|ing)? | except | only
        | never | instead\ of | do\ not | don['’]t | does\ not | cannot | can(?:no|['’])t | may\ not | not\ allowed
        | provided\ that | such\ that | as\ long\ as | given\ that | assum(?:e|ing)\ that
        | in\ \d+\ (?:words|sentences|lines|paragraphs|steps|characters)
        | (?:time|space|memory)\ complexity | O\([^()]{{0,30}}\) | in[ -]place
        )(?!\w)""",
    re.VERBOSE | re.IGNORECASE,
)
_LIST_OPENS = re.compile(
    r"\b(?:requirements?|constraints?|conditions?|rules|criteria|guidelines|restrictions|specifications?|must|should)\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s{0,20}(?:[-*•+]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s", re.IGNORECASE)
_NUMBERED = re.compile(
    r"^[ \t>*_#]{0,20}(?:\(?\d{1,3}[.):](?=\s)|(?:step|stage|phase)\s{1,3}(?:\d{1,3}|one|two|three|four|five)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_ORDINAL = re.compile(
    r"(?:^|[.!?;,:]\s)[ \t>*_#-]{0,20}(?:and\s)?(?:first|second|third|fourth|firstly|secondly|thirdly"
    r"|then|next|after\ that|afterwards|subsequently|finally|lastly)\b",
    re.IGNORECASE | re.MULTILINE,
)
# Every repetition is bounded where it could start anew at each character: lines of 100 kB come in, too.
_EQUATION = re.compile(r"(?<![\w.])\d[\d.,]{0,30}\s?[%)\]}]?\s?\\?[=≈]\s?[-−+($€£\\]{0,3}\s?\d")


@dataclass(frozen=True)
class MeasureFeatures:
    """records/ -> features/, row by row."""

    def run(self, folder: Folder, shard: int) -> Counts:
        records = read_table(folder, shard_name(RECORDS, shard), COLUMNS)
        table = measure(records)
        write_table(folder, shard_name(FEATURES, shard), table)
        return {"records": len(table), "tokens": pc.sum(table["tokens"]).as_py() or 0}


def measure(records: pa.Table) -> pa.Table:
    """Of a table with `COLUMNS`: one with the columns of FEATURES_SCHEMA."""
    rows = [
        (
            count_words(instruction),
            count_words(response),
            count_tokens(instruction, response, *(turn["content"] or "" for turn in context)),
            count_constraints(instruction),
            count_steps(response, domain),
        )
        for domain, instruction, response, context in zip(*(_column(records, name) for name in COLUMNS), strict=True)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(FEATURES_SCHEMA)
    return pa.table([pa.array(column, pa.int32()) for column in columns], schema=FEATURES_SCHEMA)


def count_words(text: str) -> int:
    return len(words(text)) or len(text.split())


def count_tokens(*texts: str) -> int:
    return math.ceil(sum(len(text) for text in texts) / CHARS_PER_TOKEN)


def count_constraints(instruction: str) -> int:
    count, in_list = 0, False
    for line in _FENCED.sub("\n", instruction).split("\n"):
        found = sum(1 for clause in _CLAUSE_END.split(line) if _REQUIREMENT.search(clause))
        item = bool(_ITEM.match(line))
        count += max(found, 1) if item and in_list else found
        if line.strip() and not item:
            in_list = line.rstrip(" *_").endswith(":") and bool(_LIST_OPENS.search(line))
    return count


def count_steps(response: str, domain: str = "") -> int:
    prose = _FENCED.sub("\n", response)
    equations = sum(1 for line in prose.split("\n") if _EQUATION.search(line) or (domain == "math" and "=" in line))
    return max(len(_NUMBERED.findall(prose)), len(_ORDINAL.findall(prose)), equations)


def _column(table: pa.Table, name: str) -> Sequence[Any]:
    empty: Any = [] if name == "context" else ""
    return [empty if value is None else value for value in table[name].to_pylist()]
