"""Who taught, and what that cost: from the pool's manifest and settings."""

from dataclasses import dataclass, field
from typing import Any

from evolray.ablation import names
from evolray.pool.layout import Folder
from evolray.pool.manifest import MANIFEST, RUN
from evolray.report.numbers.evolved import read_config, read_json

SIMULATED = "simulated"


@dataclass(frozen=True)
class Teacher:
    """`name`: "" where nothing was evolved. `accounts`: by generation, what went in and what became of it. `tokens` are
    prompt and completion tokens together, `cost` is at the config's prices, `seconds` are those of the evolution."""

    name: str = ""
    is_simulated: bool = False
    domain: str = ""
    seeds: int = 0
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    accounts: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def read_teacher(folder: Folder) -> Teacher:
    """Of the ablation in `folder`. Raises UserError for files that cannot be read."""
    pool = folder.below(names.POOL)
    manifest = read_json(pool, MANIFEST)
    if not manifest:
        return Teacher()
    settings = (read_config(pool).get("teacher") or {}) if pool.exists(RUN) else {}
    name = str(manifest.get("teacher") or settings.get("model") or "")
    return Teacher(
        name=name,
        is_simulated=settings.get("kind") == SIMULATED or name.startswith(SIMULATED),
        domain=str(manifest.get("domain") or ""),
        seeds=int((manifest.get("seeds") or {}).get("roots") or 0),
        calls=int(manifest.get("calls") or 0),
        tokens=sum((manifest.get("tokens") or {}).values()),
        cost=float(manifest.get("cost") or 0.0),
        seconds=float(manifest.get("seconds") or 0.0),
        accounts=tuple(manifest.get("accounts") or ()),
    )
