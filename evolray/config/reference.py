"""Every setting of every command as one Markdown page, made from the dataclasses.

    python -m evolray.config.reference > conf/README.md

A section that one command alone has is part of that command's table, its settings dotted (`seeds.path`); one that is
found in several places has a table of its own, and they link to it.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from omegaconf import MISSING

from evolray import config
from evolray.config.documented import Setting, about, sections_below, settings

CONF = Path(__file__).parents[2] / "conf"
"""The examples, in a checkout."""

COMMANDS: Mapping[str, type] = {
    "evolve": config.EvolveConfig,
    "refine": config.RefineConfig,
    "report": config.ReportConfig,
    "train": config.TrainConfig,
    "evaluate": config.EvaluateConfig,
    "sweep": config.SweepConfig,
    "campaign": config.CampaignConfig,
    "ablation": config.AblationConfig,
    "generate": config.GenerateConfig,
    "grade": config.GradeConfig,
    "board": config.BoardConfig,
    "blind": config.BlindConfig,
}
HEAD = """\
# Configuration

<!-- Made by `python -m evolray.config.reference > conf/README.md` from the docstrings in evolray/config/. -->

A command takes YAML files and `key=value` arguments, and later ones win:

    evolray evolve conf/evolve/wizardlm.yaml seeds.path=seeds.json run=runs/first teacher.model=NAME

A dot reaches into a section: `teacher.model=NAME` is `teacher: {model: NAME}` in a file. An unknown key is refused, and
the nearest known one is named. `evolray COMMAND --settings` (`evolray grade BENCHMARK --settings`) prints a
command's settings with their defaults as YAML. Secrets are no settings: a config names the environment variable that
holds the key. `evolray demo` takes the settings of [ablation](#evolray-ablation).
"""
PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null", Any: "anything"}


def to_markdown(conf: Path | None = CONF) -> str:
    """The page. `conf`: the folder whose YAML files it lists; None, or one that is not there: it lists none."""
    shared = _shared(list(COMMANDS.values()))
    parts = [HEAD, _contents(list(COMMANDS), shared)]
    parts += [_command(name, schema, shared) for name, schema in COMMANDS.items()]
    parts.append("## Sections that several commands share\n")
    parts += [_section(schema, shared) for schema in shared]
    if conf and conf.is_dir():
        parts.append(_files(conf))
    return "\n".join(parts)


def _shared(schemas: Sequence[type]) -> list[type]:
    """Sections that are found in more than one place, or that are part of another's name: by title."""
    places = Counter(section for schema in schemas for section in sections_below(schema))
    every = [one for schema in (*schemas, *places) for one in settings(schema)]
    found = {one.section for one in every if one.section and (one.is_by_name or places[one.section] > 1)}
    return sorted(found | {base for section in found for base in section.__mro__[1:-1]}, key=_title)


def _title(section: type) -> str:
    """ "Near duplicates" for NearDuplicatesConfig."""
    words = re.findall(r"[A-Z][a-z]*", section.__name__.removesuffix("Config"))
    return " ".join(words).capitalize()


def _link(section: type) -> str:
    title = _title(section)
    return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"


def _contents(commands: Sequence[str], shared: Sequence[type]) -> str:
    lines = [
        f"Commands: {', '.join(f'[{name}](#evolray-{name})' for name in commands)}.",
        f"Shared sections: {', '.join(map(_link, shared))}.",
        "Ready files: [conf/](#files-in-conf).",
    ]
    filled = (textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False) for line in lines)
    return "\n\n".join(filled) + "\n"


def _command(name: str, schema: type, shared: Sequence[type]) -> str:
    what = re.sub(r"^`[^`]*`: ", "", about(schema))
    return f"## evolray {name}\n\n{_sentence(what)}\n\n{_table(settings(schema), shared)}"


def _section(schema: type, shared: Sequence[type]) -> str:
    """A section that builds on another names it, and lists what is its own or has another default."""
    base = next((one for one in schema.__mro__[1:-1] if one in shared), None)
    rows = settings(schema)
    if base:
        inherited = {one.name: one.default for one in settings(base)}
        rows = [one for one in rows if one.name not in inherited or one.default != inherited[one.name]]
    text = "\n\n".join(filter(None, [_sentence(about(schema)), f"All of {_link(base)}, and:" if base else ""]))
    return f"### {_title(schema)}\n\n{text}\n\n{_table(rows, shared)}".replace("\n\n\n\n", "\n\n")


def _table(rows: Sequence[Setting], shared: Sequence[type]) -> str:
    lines = ["| setting | is | default | what it is |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *_rows(rows, shared, "")]) + "\n"


def _rows(rows: Sequence[Setting], shared: Sequence[type], prefix: str) -> list[str]:
    lines = []
    for one in rows:
        name = prefix + one.name
        if one.section is None or one.is_by_name:
            lines.append(_row(name, _kind(one), _default(one.default), one.about))
        elif one.section in shared:
            lines.append(_row(name, _link(one.section), _differing(one), _what(one, one.section)))
        else:
            lines.append(_row(name, "section", "", _what(one, one.section)))
            lines += _rows(settings(one.section, one.default), shared, f"{name}.")
    return lines


def _what(setting: Setting, section: type) -> str:
    """What stands below the field; else how the section begins about itself."""
    return setting.about or about(section).partition("\n\n")[0]


def _row(name: str, kind: str, default: str, what: str) -> str:
    return f"| `{name}` | {kind} | {default} | {_cell(what)} |"


def _kind(setting: Setting) -> str:
    return f"{{name: {_link(setting.section)}}}" if setting.section and setting.is_by_name else _words(setting.type)


def _words(kind: Any) -> str:
    if get_origin(kind) is UnionType:
        *others, last = map(_words, get_args(kind))
        return f"{', '.join(others).replace(' or ', ', ')} or {last}"
    if get_origin(kind) is list:
        return f"list of {_words(get_args(kind)[0])}s"
    if get_origin(kind) is dict:
        names, values = get_args(kind)
        return f"{{{'name' if names is str else _words(names)}: {_words(values)}}}"
    return PLAIN[kind]


def _default(value: Any) -> str:
    return "**required**" if value == MISSING else f"`{_yaml(value)}`"


def _differing(setting: Setting) -> str:
    """What this place sets otherwise than the section's own defaults."""
    assert setting.section
    usual = {one.name: one.default for one in settings(setting.section)}
    here = settings(setting.section, setting.default)
    return ", ".join(f"`{one.name}: {_yaml(one.default)}`" for one in here if one.default != usual[one.name])


def _yaml(value: Any) -> str:
    """As one writes it after `key=`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_yaml(name)}: {_yaml(one)}' for name, one in value.items())}}}"
    return str(value) or '""'


def _sentence(text: str) -> str:
    return _linked(text[:1].upper() + text[1:])


def _cell(text: str) -> str:
    paragraphs = (" ".join(one.split()) for one in text.split("\n\n"))
    return _linked("<br>".join(paragraphs).replace("|", "\\|"))


def _linked(text: str) -> str:
    """`evolray train` leads to where its settings are."""
    return re.sub(r"`evolray (\w+)`", lambda found: f"[{found[0]}](#evolray-{found[1]})", text)


def _files(conf: Path) -> str:
    lines = ["## Files in conf/\n", "| file | what it is |", "| --- | --- |"]
    for path in sorted(conf.rglob("*.yaml")):
        name = path.relative_to(conf).as_posix()
        lines.append(f"| [{name}]({name}) | {_cell(_first_sentence(path.read_text(encoding='utf-8')))} |")
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    """Of the comment that a file begins with."""
    comment = re.match(r"(#[^\n]*\n)*", text)
    lines = comment[0].replace("#\n", "\n\n").splitlines() if comment else []
    paragraph = " ".join(line.removeprefix("#").strip() for line in lines).strip()
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0]


if __name__ == "__main__":
    print(to_markdown(), end="")
