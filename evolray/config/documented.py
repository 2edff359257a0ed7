"""What the settings' dataclasses say about themselves: names, types, defaults, and the docstrings below their fields.

Python keeps no docstrings of fields, so they are read from the source.
"""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from omegaconf import MISSING


@dataclass(frozen=True)
class Setting:
    """`name` is dotted from where the reading began. `default` is MISSING for one that has to be given.

    `section`: the dataclass that the setting is, or (`is_by_name`) a mapping of names to; None for plain values.
    """

    name: str
    type: Any
    default: Any
    about: str
    section: type | None = None
    is_by_name: bool = False


def settings(schema: type, default: object | None = None) -> list[Setting]:
    """Those of one dataclass, its own before what it inherits. `default`: an instance whose values are the defaults."""
    hints = typing.get_type_hints(schema)
    about = _documented(schema)
    found = []
    for name in _own_first(schema):
        kind = hints[name]
        value = _default(schema, name) if default is None else getattr(default, name)
        by_name = _values_of(kind)
        section = kind if _is_section(kind) else by_name
        found.append(Setting(name, kind, value, about.get(name, ""), section, by_name is not None))
    return found


def sections_below(schema: type) -> Iterator[type]:
    """The dataclass of every section, at any depth; one that is reached in two ways comes twice."""
    for setting in settings(schema):
        if setting.section:
            yield setting.section
            yield from sections_below(setting.section)


def about(schema: type) -> str:
    """The class's own docstring, or "" (dataclasses without one get their signature from Python)."""
    text = inspect.cleandoc(schema.__doc__ or "")
    return "" if text.startswith(f"{schema.__name__}(") else text


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _values_of(kind: Any) -> type | None:
    """JobConfig for dict[str, JobConfig]."""
    values = typing.get_args(kind)[1] if typing.get_origin(kind) is dict else None
    return values if isinstance(values, type) and _is_section(values) else None


def _own_first(schema: type) -> list[str]:
    """Names in the order of the source; inherited ones come after the class's own."""
    names: dict[str, None] = {}
    known = {one.name for one in dataclasses.fields(schema)}
    for base in schema.__mro__:
        names |= dict.fromkeys(name for name in inspect.get_annotations(base) if name in known)
    return list(names)


def _default(schema: type, name: str) -> Any:
    one = next(one for one in dataclasses.fields(schema) if one.name == name)
    if one.default_factory is not dataclasses.MISSING:
        return one.default_factory()
    return MISSING if one.default is dataclasses.MISSING else one.default


def _documented(schema: type) -> dict[str, str]:
    """By name of a field; a base's docstring counts where the class says nothing of its own."""
    found: dict[str, str] = {}
    for base in reversed(schema.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _docstrings(base)
    return found


@cache
def _docstrings(schema: type) -> dict[str, str]:
    """The strings that stand below the fields in the class's source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(schema))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for above, below in zip(tree.body, tree.body[1:], strict=False):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found
