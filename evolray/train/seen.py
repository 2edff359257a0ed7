"""Which examples a student has seen: a count, and a digest that depends on their ids and epochs but on no order.

It goes into every checkpoint and on from there after a restart, so that two trainings can be compared, and a restart
that skipped or repeated an example would show.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

RANGE = 2**64


@dataclass
class Seen:
    examples: int = 0
    digest: int = 0

    def add(self, ids: Iterable[str], epoch: int) -> None:
        for id in ids:
            self.examples += 1
            number = int.from_bytes(blake2b(f"{epoch}/{id}".encode(), digest_size=8).digest())
            self.digest = (self.digest + number) % RANGE

    def join(self, others: Iterable["Seen"]) -> "Seen":
        joined = Seen(self.examples, self.digest)
        for other in others:
            joined.examples += other.examples
            joined.digest = (joined.digest + other.digest) % RANGE
        return joined

    @property
    def hexadecimal(self) -> str:
        return f"{self.digest:016x}"
