"""What a run says about itself: `run.yaml` before it starts, `manifest.json` while it runs and when it ends.

`run.yaml` also guards the directory: a rerun whose settings would make another pool is refused.
"""

import json
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol, TypeVar

import yaml

from evolray.errors import UserError
from evolray.pool.layout import Folder

RUN, MANIFEST = "run.yaml", "manifest.json"
OPERATORS_BY_GENERATION = "operators_by_generation"
PACKAGES = ("evolray", "ray", "openai", "pyarrow", "omegaconf")

Status = Literal["running", "complete", "interrupted", "out_of_budget", "stopped"]


@dataclass
class Manifest:
    """`status`: complete means that every root has been through every generation, kept, eliminated or failed.

    `calls` and `tokens` are those of the answers that the finished shards used; `cost` is theirs, at the config's
    prices. `seconds` adds up over reruns. `digest` is that of the pool's rows in any order: equal pools, equal digests.
    """

    run: str
    status: Status
    domain: str = ""
    teacher: str = ""
    generations: int = 0
    seeds: dict[str, Any] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    kept: int = 0
    eliminated: int = 0
    failed: int = 0
    calls: int = 0
    calls_by_purpose: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    seconds: float = 0.0
    digest: str = ""
    message: str = ""
    updated_at: float = field(default_factory=time.time)
    live: dict[str, Any] = field(default_factory=dict)
    """While running: calls in flight and so on, as of `updated_at` (seconds since 1970)."""


def write_manifest(folder: Folder, manifest: Manifest) -> None:
    manifest.updated_at = time.time()
    folder.write(MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")


def read_manifest(folder: Folder) -> Manifest | None:
    """None when there is none yet. Raises UserError when it was not written by this version."""
    if not folder.exists(MANIFEST):
        return None
    try:
        return Manifest(**json.loads(folder.read(MANIFEST)))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{folder.url}/{MANIFEST} cannot be read ({error}); was it edited, or is it of another version?"
        ) from None


# What a refine run's manifest means the same by.
_SHARED = ("run", "status", "generations", "calls", "tokens", "cost", "seconds", "message", "updated_at", "live")


def read_any(folder: Folder) -> Manifest | None:
    """The manifest of an evolve run, or of another stage's what it has in common with that."""
    if not stage_of(folder):
        return read_manifest(folder)
    content = _content(folder)
    mix = content.get("mix")
    kept = mix.get("records", 0) if isinstance(mix, dict) else 0
    return Manifest(**{name: content[name] for name in _SHARED if name in content}, kept=kept)


def stage_of(folder: Folder) -> str:
    """The stage that the manifest names; "" for an evolve run, whose manifest names none, and where there is none."""
    return str(_content(folder).get("stage", "")) if folder.exists(MANIFEST) else ""


def _content(folder: Folder) -> dict[str, Any]:
    try:
        return {**json.loads(folder.read(MANIFEST))}
    except (ValueError, TypeError) as error:
        raise UserError(f"{folder.url}/{MANIFEST} cannot be read ({error}); was it edited?") from None


class StageManifest(Protocol):
    """What the manifests of other stages have in common; each is a dataclass with a default for `stage`."""

    stage: str
    status: str
    updated_at: float


M = TypeVar("M", bound=StageManifest)


def write_stage(folder: Folder, manifest: StageManifest) -> None:
    manifest.updated_at = time.time()
    folder.write(MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")  # type: ignore[call-overload]


def read_stage(folder: Folder, schema: type[M]) -> M | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    if not folder.exists(MANIFEST):
        return None
    try:
        content = json.loads(folder.read(MANIFEST))
        return schema(**content) if content.get("stage") == schema.stage else None
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{folder.url}/{MANIFEST} cannot be read ({error}); was it edited?") from None


def describe_run(
    folder: Folder, config: dict[str, Any], prompts: dict[str, str], identity: dict[str, Any], anew: bool = False
) -> None:
    """Write `run.yaml`, unless the one there describes another run (`check_same_run`); `anew`: whatever is there."""
    if not anew:
        check_same_run(folder, prompts, identity)
    identity = {**identity, "prompts": prompts}
    described = {"config": config, "identity": identity, "versions": _versions()}
    folder.write(RUN, yaml.safe_dump(described, sort_keys=False, allow_unicode=True).encode())


def check_same_run(folder: Folder, prompts: dict[str, str], identity: dict[str, Any]) -> None:
    """`identity` holds the settings that decide what the pool is.

    Raises UserError naming the one that differs from the run's; only `generations` may grow, which goes on with a
    finished pool, and with them what is set for the new ones alone.
    """
    identity = {**identity, "prompts": prompts}
    if folder.exists(RUN):
        before = _read_identity(folder)
        for key in sorted(before.keys() | identity.keys()):
            old, new = before.get(key), identity.get(key)
            if key == OPERATORS_BY_GENERATION:
                old, new = _so_far(old, before), _so_far(new, before)
            grown = key == "generations" and isinstance(old, int) and isinstance(new, int) and new > old
            if old != new and not grown:
                raise UserError(
                    f"{folder.url} was made with {_difference(key, old, new)}. "
                    "Choose another run=, or go back to that setting."
                )


def _read_identity(folder: Folder) -> dict[str, Any]:
    try:
        identity = yaml.safe_load(folder.read(RUN))["identity"]
        return {**identity}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{folder.url}/{RUN} cannot be read ({why}); was it edited? Choose another run=.") from None


def _so_far(by_generation: Any, before: dict[str, Any]) -> dict[int, Any]:
    """Of what is set by generation, that of the generations which the run has had before."""
    return {key: value for key, value in (by_generation or {}).items() if key <= before.get("generations", 0)}


def _difference(key: str, old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        inner = next(name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))
        return _difference(f"{key}.{inner}", old.get(inner), new.get(inner))
    return f"{key}={old} and would now go on with {key}={new}"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that was never installed
            versions[package] = "not installed"
    return versions
