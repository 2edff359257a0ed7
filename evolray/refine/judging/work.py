"""Difficulty and skills by the judge, asked through the engine: with the ledger, limits and budget of every stage.

Items are the texts of a shard that are to be judged, outcomes what became of each record. Instructions that are the
same text in the same conversation are asked about once in a shard; in different shards each is asked (exact duplicates
have been dropped by then). An answer that cannot be read is asked for once more and then given up as "no_verdict". A
call that fails leaves its cause. Neither gets a score.

judged/00017.parquet holds the records that were asked about; its metadata holds the shard's accounts, and which records
and questions it answers, so that `finished` knows what a rerun need not open. Failed calls are asked again by a rerun,
answers that could not be read are not: they are in the ledger, and the judge's word.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from evolray.config import ModelConfig, RefineConfig
from evolray.engine.checking import check_least
from evolray.engine.roles import Script, make_roles
from evolray.engine.work import Work
from evolray.errors import UserError
from evolray.method import difficulty, skills
from evolray.method.teacher import Call, Purpose, Teacher, TeacherError
from evolray.pool.accounts import Accounts, Fate, Usage
from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.records import Turn
from evolray.refine.index import READERS, Index
from evolray.refine.tables import JUDGED, JUDGED_SCHEMA, RECORDS, write_table
from evolray.refine.wanted import Wanted, number_of, pack, places

ATTEMPTS = 2  # an answer that cannot be read is asked for this often in all
NO_VERDICT = "no_verdict"
COLUMNS = ["id", "root_id", "generation", "operator", "instruction", "context"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one record. `row` counts through the run; `cause` is empty when all was answered."""

    row: int
    id: str
    generation: int
    operator: str
    difficulty: int | None = None
    skills: tuple[str, ...] | None = None
    cause: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One text, and the records that have it; the calls are made on behalf of the first."""

    root_id: str
    instruction: str
    context: tuple[Turn, ...]
    records: tuple[Judged, ...]


@dataclass(frozen=True)
class Judging(Work[Question, Judged]):
    """`wanted`: the rows of each shard that are to be judged; none before `of`."""

    tags: tuple[str, ...]
    wanted: Wanted

    def of(self, index: Index, mask: npt.NDArray[np.bool_]) -> "Judging":
        """The same questions about the records whose rows are in the mask (N)."""
        return replace(self, wanted=pack(index, mask))

    @property
    def records(self) -> int:
        """How many are to be judged."""
        return number_of(self.wanted)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide the answers."""
        role = next(iter(self.roles.values()))
        return {"asked": sorted(self.roles), "tags": list(self.tags), "judge": role.identity, "prompts": self._prompts}

    @property
    def _prompts(self) -> dict[str, str]:
        texts = {"difficulty": difficulty.PROMPT, "skills": skills.PROMPT}
        return {name: hashlib.sha256(texts[name].encode()).hexdigest() for name in sorted(self.roles)}

    def key(self, shard: int) -> str:
        """What a shard's file must have been made for."""
        parts = json.dumps(self.identity, sort_keys=True, default=str).encode(), self.wanted[shard][1]
        return hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()

    def read(self, folder: Folder, shard: int) -> Sequence[Question]:
        first, bits = self.wanted[shard]
        table = read_table(folder, shard_name(RECORDS, shard), COLUMNS)
        chosen = places(bits, len(table))
        found: dict[tuple[str, tuple[Turn, ...]], list[tuple[str, Judged]]] = {}
        for at, row in zip(chosen.tolist(), table.take(chosen).to_pylist(), strict=True):
            context = tuple(Turn(turn["role"], turn["content"]) for turn in row["context"] or ())
            judged = Judged(first + at, row["id"], row["generation"], row["operator"])
            found.setdefault((row["instruction"], context), []).append((row["root_id"], judged))
        return [
            Question(records[0][0], instruction, context, tuple(judged for _, judged in records))
            for (instruction, context), records in found.items()
        ]

    async def run(self, item: Question, teacher: Teacher, ended: Callable[[Judged], None]) -> None:
        answers: dict[str, Any] = {}
        failures: list[TeacherError] = []
        for purpose in self.roles:
            try:
                answers[purpose] = await self._ask(item, purpose, teacher)
            except TeacherError as error:
                failures.append(error)
        # A call that failed goes before an answer that cannot be read: the former is asked again.
        failures.sort(key=lambda error: error.cause == NO_VERDICT)
        cause = failures[0].cause if failures else ""
        message = "; ".join(error.message for error in failures)
        for record in item.records:
            ended(replace(record, cause=cause, message=message, **answers))

    async def _ask(self, item: Question, purpose: Purpose, teacher: Teacher) -> Any:
        """The answer as it was read. Raises TeacherError when none can be."""
        if purpose == "difficulty":
            prompt = difficulty.difficulty_prompt(item.instruction, item.context)
        else:
            prompt = skills.skills_prompt(item.instruction, item.context, self.tags)
        record, text = item.records[0], ""
        for attempt in range(ATTEMPTS):
            call = Call(purpose, item.root_id, record.generation, (Turn("user", prompt),), attempt)
            completion = await teacher.complete(call)
            text = completion.text
            parsed = self._parse(purpose, text)
            if parsed is not None and completion.finish_reason != "length":  # a 10 that was cut off reads as 1
                return parsed
        expected = "a number from 1 to 10" if purpose == "difficulty" else f"1 to {skills.MOST} of the skills asked for"
        raise TeacherError(record.id, NO_VERDICT, f"{purpose}: {text[:60]!a} is not {expected}")

    def _parse(self, purpose: Purpose, text: str) -> Any:
        return difficulty.parse_difficulty(text) if purpose == "difficulty" else skills.parse_skills(text, self.tags)

    def tally(self, accounts: Accounts, outcome: Judged) -> None:
        fate: Fate = "failed" if outcome.cause else "kept"
        accounts.outcomes[outcome.generation, outcome.operator, fate, outcome.cause] += 1

    def write(
        self, folder: Folder, shard: int, items: Sequence[Question], outcomes: Sequence[Judged], usage: dict[str, Usage]
    ) -> Accounts:
        accounts = Accounts(usage=usage)
        accounts.incoming.update(record.generation for item in items for record in item.records)
        for outcome in outcomes:
            self.tally(accounts, outcome)
        accounts.check()
        ordered = sorted(outcomes, key=lambda outcome: outcome.row)
        rows = [{name: getattr(outcome, name) for name in JUDGED_SCHEMA.names} for outcome in ordered]
        metadata = {"evolray.key": self.key(shard), "evolray.accounts": json.dumps(accounts.to_json())}
        table = pa.Table.from_pylist(rows, schema=JUDGED_SCHEMA.with_metadata(metadata))
        write_table(folder, shard_name(JUDGED, shard), table)
        return accounts


def make_judging(config: RefineConfig, script: Script | None = None) -> Judging | None:
    """What is asked of whom, about no record yet; None when neither difficulty nor skills are wanted.

    `script` stands in for `judge.script`. Raises UserError for a value that cannot work.
    """
    judging = config.judging
    check_least({"judging.sample": (judging.sample, 1)})
    if judging.tags and not judging.skills:
        raise UserError("judging.tags names skills and judging.skills is false; set it to true, or leave the tags out.")
    asked: dict[Purpose, tuple[str, ModelConfig]] = {}
    if judging.difficulty:
        asked["difficulty"] = ("judge", config.judge)
    if judging.skills:
        asked["skills"] = ("judge", config.judge)
    if not asked:
        return None
    roles, groups = make_roles(asked, script)
    return Judging(roles, groups, skills.check_tags(judging.tags), {})


def finished(folder: Folder, judging: Judging) -> dict[int, Accounts]:
    """The shards that need no more work, with their accounts: judged for the same records and questions, and without
    a failed call."""
    shards = [shard for shard in judging.wanted if folder.exists(shard_name(JUDGED, shard))]
    with ThreadPoolExecutor(READERS) as readers:
        read = list(readers.map(lambda shard: _read_footer(folder, shard), shards))
    return {
        shard: accounts
        for shard, (key, accounts) in zip(shards, read, strict=True)
        if key == judging.key(shard)
        and not any(fate == "failed" and why != NO_VERDICT for _, _, fate, why in accounts.outcomes)
    }


def _read_footer(folder: Folder, shard: int) -> tuple[str, Accounts]:
    with folder.open(shard_name(JUDGED, shard)) as file:
        metadata = pq.read_metadata(file).metadata
    return metadata[b"evolray.key"].decode(), Accounts.from_json(json.loads(metadata[b"evolray.accounts"]))
