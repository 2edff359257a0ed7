"""The teachers of one actor: a gate per endpoint, a teacher per role, and the ledger in front of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

from evolray.engine.roles import Role
from evolray.engine.work import Work
from evolray.method.teacher import Call, Completion, Purpose, Teacher
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.ledger import Entry, Ledger, entry_key
from evolray.teachers.endpoint import EndpointTeacher
from evolray.teachers.scripted import ScriptedTeacher
from evolray.teachers.simulated import SimulatedTeacher
from evolray.teachers.throttle import Gate


class QueuedTeacher(Protocol):
    """A teacher that serves calls of a lower priority number first."""

    async def complete(self, call: Call, priority: int = 0) -> Completion: ...


class GatedTeacher:
    """Puts a teacher without a gate of its own behind one, so that limits and budgets hold for it as well."""

    def __init__(self, teacher: Teacher, gate: Gate) -> None:
        self._teacher, self._gate = teacher, gate

    async def complete(self, call: Call, priority: int = 0) -> Completion:
        await self._gate.acquire(priority)
        with self._slot():
            started = monotonic()
            completion = await self._teacher.complete(call)
        self._gate.answered(monotonic() - started, completion.prompt_tokens, completion.completion_tokens)
        return completion

    @contextmanager
    def _slot(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._gate.failed()
            raise
        except BaseException:
            self._gate.abandoned()
            raise


class Teachers:
    """Built on the event loop that makes the calls. Roles with the same settings share a teacher."""

    def __init__(self, work: Work[Any, Any]) -> None:
        self.gates = {group: Gate() for group in work.groups}
        self.by_purpose: dict[Purpose, QueuedTeacher] = {}
        for purpose, role in work.roles.items():
            same = next((other for other in self.by_purpose if work.roles[other] == role), None)
            self.by_purpose[purpose] = self.by_purpose[same] if same else _teacher(role, self.gates[role.group])

    async def close(self) -> None:
        for teacher in set(self.by_purpose.values()):
            if isinstance(teacher, EndpointTeacher):
                await teacher.close()


class RememberingTeacher:
    """One shard's teacher: replays what the ledger holds, writes down every new answer before it is used."""

    def __init__(
        self,
        roles: Mapping[Purpose, Role],
        teachers: Teachers,
        shard: int,
        known: dict[str, Entry],
        ledger: Ledger,
        paid: Callable[[Purpose, Usage], None],
    ) -> None:
        """`paid` is told of every new answer; `known` is what earlier attempts at the shard were answered."""
        self._teachers, self._shard, self._known, self._ledger, self._paid = teachers, shard, known, ledger, paid
        self._fingerprints = {purpose: role.fingerprint for purpose, role in roles.items()}
        self.used = Accounts()
        """`usage` by purpose over all answers, replayed ones included"""

    async def complete(self, call: Call) -> Completion:
        key = self._key(call)
        entry = self._known.get(key)
        if entry is None:
            completion = await self._teachers.by_purpose[call.purpose].complete(call, self._shard)
            entry = Entry(
                key, call.record_id, call.purpose, completion.text, completion.finish_reason,
                completion.prompt_tokens, completion.completion_tokens, completion.model,
            )  # fmt: skip
            self._ledger.append(entry)
            self._paid(call.purpose, Usage(1, entry.prompt_tokens, entry.completion_tokens))
        self.used.spend(call.purpose, Usage(1, entry.prompt_tokens, entry.completion_tokens))
        return Completion(
            entry.text, entry.finish_reason, entry.prompt_tokens, entry.completion_tokens, entry.model
        )  # fmt: skip

    def _key(self, call: Call) -> str:
        parts = [part for turn in call.messages for part in (turn.role, turn.content)]
        if call.prompt is not None or call.max_tokens is not None or call.stop:
            parts.append(repr((call.prompt, call.max_tokens, call.stop)))
        if call.temperature is not None:  # else the key is what it was before calls had one
            parts.append(f"temperature={float(call.temperature)}")
        return entry_key(call.record_id, call.purpose, str(call.attempt), self._fingerprints[call.purpose], *parts)


def _teacher(role: Role, gate: Gate) -> QueuedTeacher:
    if role.endpoint:
        return EndpointTeacher(role.endpoint, gate)
    if role.script:
        return GatedTeacher(ScriptedTeacher(role.script, remember=False), gate)
    return GatedTeacher(SimulatedTeacher(flaws=role.model.flaws), gate)
