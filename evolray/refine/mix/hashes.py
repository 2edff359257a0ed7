"""Hashes of what went in and of what came out, so that two runs can be compared without their data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import POOL
from evolray.refine.steps.step import Counts
from evolray.refine.tables import RECORDS

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class HashShards:
    """Step: the SHA-256 of a shard's records and of its part of the mix, as numbers, to be counted like anything."""

    def run(self, folder: Folder, shard: int) -> Counts:
        files = {kind: folder.read(shard_name(kind, shard)) for kind in (RECORDS, POOL)}
        return {f"sha256:{kind}": int.from_bytes(hashlib.sha256(data).digest(), "big") for kind, data in files.items()}


def file_sha256(folder: Folder, name: str) -> str:
    """Read a block at a time: a file of training/ can be as large as the mix."""
    digest = hashlib.sha256()
    with folder.open(name) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def joined(counts: Mapping[int, Counts], kind: str) -> str:
    """One SHA-256 for all shards, in their order."""
    digests = (counts[shard][f"sha256:{kind}"].to_bytes(32, "big") for shard in sorted(counts))
    return hashlib.sha256(b"".join(digests)).hexdigest()
