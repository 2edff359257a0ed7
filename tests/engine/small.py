"""A small piece of work: words are asked about, and what comes back is written down as a list."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.config import ModelConfig
from evolray.engine.roles import Script, make_roles
from evolray.engine.work import Work
from evolray.method.teacher import Call, Purpose, Teacher, TeacherError
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder
from evolray.records import Turn


@dataclass(frozen=True)
class Words(Work[str, str]):
    """Two calls per word, one after the other; the second holds the answer to the first."""

    def read(self, folder: Folder, shard: int) -> Sequence[str]:
        words: list[str] = json.loads(folder.read(f"words/{shard:05d}.json"))
        return words

    async def run(self, item: str, teacher: Teacher, ended: Callable[[str], None]) -> None:
        try:
            first = await teacher.complete(Call("respond", item, 0, (Turn("user", item),)))
            ended(first.text)
            second = await teacher.complete(Call("judge", item, 1, (Turn("user", first.text),)))
            ended(second.text)
        except TeacherError as error:
            ended(f"failed: {error.cause}")

    def tally(self, accounts: Accounts, outcome: str) -> None:
        accounts.outcomes[0, "word", "failed" if outcome.startswith("failed: ") else "kept", ""] += 1

    def write(
        self, folder: Folder, shard: int, items: Sequence[str], outcomes: Sequence[str], usage: dict[str, Usage]
    ) -> Accounts:
        accounts = Accounts(usage=usage)
        for outcome in outcomes:
            self.tally(accounts, outcome)
        folder.write(f"answers/{shard:05d}.json", json.dumps(outcomes).encode())
        return accounts


def words(script: Script, teacher: Mapping[str, Any] | None = None, **judge: Any) -> Words:
    """`judge`: what differs from the teacher."""
    settings = {"kind": "scripted", "model": "m", "max_in_flight": 4, **(teacher or {})}
    sections: dict[Purpose, tuple[str, ModelConfig]] = {
        "respond": ("teacher", ModelConfig(**settings)),
        "judge": ("judge", ModelConfig(**settings | judge)),
    }
    return Words(*make_roles(sections, script))


def write_words(folder: Folder, shard: int, words: Sequence[str]) -> None:
    folder.write(f"words/{shard:05d}.json", json.dumps(words).encode())


def answers(folder: Folder, shard: int) -> list[str]:
    found: list[str] = json.loads(folder.read(f"answers/{shard:05d}.json"))
    return found
