"""YAML files and `key=value` on top, merged into a stage's dataclass, everything checked before anything starts."""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from evolray.errors import UserError

T = TypeVar("T")


def load(schema: type[T], arguments: Sequence[Any], values: Mapping[str, Any] | None = None) -> T:
    """The config from YAML files, `key=value` arguments and finished configs in their order, then dotted `values`.

    Raises UserError for a missing file, an unknown key, a value of the wrong type or a missing mandatory key.
    """
    layers = []
    for argument in arguments:
        if not isinstance(argument, str):
            layers.append(("in the config", OmegaConf.structured(argument)))
        elif "=" in argument and not Path(argument).is_file():
            key, _, value = argument.partition("=")
            layers.append(("on the command line", _parse_override(schema, key, value)))
        else:
            layers.append((f"in {argument}", _read_yaml(argument)))
    if values:
        layers.append(("in the keywords", _nested(values)))
    return merge(schema, layers)


def from_mapping(schema: type[T], values: Mapping[str, Any]) -> T:
    """The config from nested dictionaries; a dotted key ("teacher.model") reaches into a section."""
    return merge(schema, [("in the keywords", _nested(values))])


def to_yaml(config: object) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _nested(values: Mapping[str, Any]) -> DictConfig:
    layer = OmegaConf.create()
    for key, value in values.items():
        try:
            OmegaConf.update(layer, str(key), value, merge=True, force_add=True)
        except OmegaConfBaseException as error:
            raise UserError(f"{key}: {_first_line(error)}") from None
    return layer


def _parse_override(schema: type, key: str, value: str) -> DictConfig:
    """A text field takes the value as it stands: as YAML, a run named 20241121_0936 or 3.10 would be a number."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    if _is_text(schema, key) and not quoted and value not in ("null", "~", "???"):
        return _nested({key: value})
    try:
        return OmegaConf.from_dotlist([f"{key}={value}"])
    except Exception as error:  # YAML inside a value can break in many ways
        raise UserError(f"{key}: the value is not YAML ({type(error).__name__}); quote it.") from None


def _is_text(schema: Any, key: str) -> bool:
    """Whether the dotted key names a field of type str or str | None."""
    name, _, rest = key.partition(".")
    found = next((one.type for one in dataclasses.fields(schema) if one.name == name), None)
    if rest:
        return dataclasses.is_dataclass(found) and _is_text(found, rest)
    return found in (str, str | None)


def _read_yaml(path: str) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such config file. Expected YAML files and key=value arguments, for example "
            "conf/evolve/wizardlm.yaml run=runs/first."
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; expected a YAML file.") from None
    except Exception as error:
        raise UserError(f"{path}: not valid YAML: {_first_line(error)}") from None
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{path}: expected keys and values at the top level, got a list or a scalar.")
    return loaded


def merge(schema: type[T], layers: Sequence[tuple[str, DictConfig]], prefix: str = "") -> T:
    config = OmegaConf.structured(schema)
    for origin, layer in layers:
        try:
            config = OmegaConf.merge(config, layer)
        except ConfigKeyError as error:
            raise UserError(_unknown_key(schema, error, origin, prefix)) from None
        except OmegaConfBaseException as error:
            where = prefix + str(error.full_key) if error.full_key else "a section"
            raise UserError(f"{where} {origin}: {_first_line(error)}") from None
    try:
        loaded = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise UserError(f"{prefix}{error.full_key} is missing; give it as {prefix}{error.full_key}=VALUE.") from None
    except OmegaConfBaseException as error:
        raise UserError(f"{prefix}{error.full_key}: {_first_line(error)}") from None
    assert isinstance(loaded, schema)
    return loaded


def _unknown_key(schema: type, error: ConfigKeyError, origin: str, prefix: str) -> str:
    """Names the nearest key among all of the schema's, dotted, so that `modle` finds `teacher.model`."""
    wrong = str(error.full_key)
    known = list(dict.fromkeys(_dotted_keys(schema)))
    section, _, name = wrong.rpartition(".")
    by_name = {key.rpartition(".")[2]: key for key in reversed(known)}
    near = [key for key in difflib.get_close_matches(wrong, known, 3) if not wrong.startswith(f"{key}.")]
    near += [by_name[close] for close in difflib.get_close_matches(name, by_name, 1)]
    if near:
        hint = f"did you mean {prefix}{near[0]}?"
    else:
        siblings = [key for key in known if key.rpartition(".")[0] == section]
        hint = f"known here: {', '.join(siblings or known)}."
    return f"{prefix}{wrong}: unknown key {origin}; {hint}"


def _dotted_keys(schema: type, prefix: str = "") -> list[str]:
    keys = []
    for one in dataclasses.fields(schema):
        keys.append(prefix + one.name)
        if isinstance(one.type, type) and dataclasses.is_dataclass(one.type):
            keys += _dotted_keys(one.type, f"{prefix}{one.name}.")
    return keys


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
