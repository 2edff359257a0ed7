"""Which model a `model=` names, found out before the cluster starts and without loading it.

    runs/tiny               a run of `evolray train`: its best checkpoint
    runs/tiny:300           that of step 300
    models/llama-2-7b       a Hugging Face folder; s3://bucket/models/llama-2-7b alike
    meta-llama/Llama-2-7b   a name on the Hub, when there is no such folder

Only safetensors are taken, and no code that comes with a model is run. What a folder's model is called by in a run's
identity is a fingerprint of its files: of all sizes, of the small files whole, and of places spread over the large
ones. So a copy elsewhere counts as the same model, and a later training of the same shape as another one.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyarrow import fs

from evolray.checkpoints import CHECKPOINTS, Checkpoint, Checkpoints
from evolray.errors import UserError
from evolray.model_folder import ABOUT, Tree, check, is_state, open_tree

RUN_AND_STEP = re.compile(r"([^?]+):(\d+)(\?.*)?")  # of a URL, the query comes last
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
CONFIG = "config.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
TEMPLATES = ("chat_template.jinja", "chat_template.json")
WHOLE_BYTES, PLACES, PLACE_BYTES = 16_000_000, 16, 65_536


@dataclass(frozen=True)
class FoundModel:
    """`tree`: its folder; None for a name on the Hub. `weight_bytes`: of its files of weights, 0 when unknown."""

    name: str
    identity: Mapping[str, Any] = field(hash=False)
    has_chat_template: bool
    tree: Tree | None = field(default=None, repr=False)
    revision: str | None = None
    weight_bytes: int = 0
    stored_as: str = ""
    """The type of the weights in the files ("bfloat16"), "" when the config does not say."""


def resolve(model: str) -> FoundModel:
    """Raises UserError when there is nothing of that name, or it is damaged, pickled or without a tokenizer."""
    if not model.strip():
        raise UserError("model is empty; expected a folder, a URL, a run of evolray train, or a name on the Hub.")
    tree = open_tree(model)
    if (match := RUN_AND_STEP.fullmatch(model)) and not _is_there(tree, ""):
        return _of_run(match[1] + (match[3] or ""), int(match[2]))
    if not _is_there(tree, CONFIG) and any(_is_there(tree, name) for name in (CHECKPOINTS, "run.yaml")):
        return _of_run(model, None)
    if _is_there(tree, ""):
        return _of_folder(tree, _shown(model), {})
    if not HUB_NAME.fullmatch(model) or ("/" in model and Path(model).parent.is_dir()):
        raise UserError(
            f"model={_shown(model)}: there is no such folder. Expected a Hugging Face folder or its URL, a run of "
            "evolray train (RUN or RUN:STEP), or a name on the Hub."
        )
    return _of_hub(model)


def _is_there(tree: Tree, name: str) -> bool:
    path = f"{tree.path}/{name}".rstrip("/")
    return bool(tree.files.get_file_info(path).type != fs.FileType.NotFound)


def _shown(model: str) -> str:
    """A URL may hold credentials."""
    return open_tree(model).url if "://" in model else model


def _of_run(run: str, step: int | None) -> FoundModel:
    checkpoint: Checkpoint = Checkpoints(run).at(step)
    return _of_folder(checkpoint.tree, f"{_shown(run)} step {checkpoint.step}", {"step": checkpoint.step})


def _of_folder(tree: Tree, name: str, about: Mapping[str, Any]) -> FoundModel:
    check(tree, with_state=False)
    sizes = {file: size for file, size in tree.sizes().items() if not is_state(file)}
    if CONFIG not in sizes:
        raise UserError(
            f"model={name}: an adapter without its base model ({CONFIG} is missing). Merge it into the base first."
        )
    if not any(file in sizes for file in TOKENIZERS):
        raise UserError(
            f"model={name}: no tokenizer there; expected tokenizer.json or {', '.join(TOKENIZERS[1:3])}. Save the "
            "tokenizer of its base model into the folder."
        )
    config = _read_json(tree, CONFIG)
    return FoundModel(
        name=name,
        identity={**about, "weights": _fingerprint(tree, sizes)},
        has_chat_template=_has_chat_template(tree, sizes),
        tree=tree,
        weight_bytes=sum(size for file, size in sizes.items() if file.endswith(".safetensors")),
        stored_as=str(config.get("dtype") or config.get("torch_dtype") or ""),
    )


def _of_hub(name: str) -> FoundModel:
    """Only the Hub knows; transformers asks it, which takes seconds."""
    from evolray.sampling.models.loading import look_up

    revision, has_chat_template = look_up(name)
    return FoundModel(name, {"model": name, "revision": revision}, has_chat_template, revision=revision)


def _has_chat_template(tree: Tree, sizes: Mapping[str, int]) -> bool:
    if any(file in sizes for file in TEMPLATES):
        return True
    return "tokenizer_config.json" in sizes and bool(_read_json(tree, "tokenizer_config.json").get("chat_template"))


def _read_json(tree: Tree, name: str) -> dict[str, Any]:
    try:
        content = json.loads(tree.read(name))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{tree.url}/{name} cannot be read; was it cut off?")
    return content


def _fingerprint(tree: Tree, sizes: Mapping[str, int]) -> str:
    """evolray.json is left out: a copy without it is the same model."""
    digest = hashlib.sha256()
    for name, size in sorted(sizes.items()):
        if name == ABOUT or not name.endswith((".json", ".jinja", ".model", ".txt", ".safetensors")):
            continue
        digest.update(f"{name}\0{size}\0".encode())
        with tree.open(name) as file:
            if size <= WHOLE_BYTES:
                digest.update(file.read())
            else:
                for place in range(PLACES):
                    digest.update(file.read_at(PLACE_BYTES, (size - PLACE_BYTES) * place // (PLACES - 1)))
    return digest.hexdigest()[:32]
