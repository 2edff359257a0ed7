"""conf/README.md says what the dataclasses say, and every link in it leads somewhere."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from omegaconf import MISSING

from evolray import cli, config
from evolray.config import reference
from evolray.config.documented import about, sections_below, settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "conf" / "README.md"
SECTIONS = sorted({one for schema in reference.COMMANDS.values() for one in sections_below(schema)}, key=str)


@dataclass
class Leaf:
    """A leaf."""

    size: int = 3
    """How large.

    In any unit.
    """


@dataclass
class Base:
    """A base."""

    inherited: bool = False
    """From below."""
    said: str = "base"
    """The base's words."""


@dataclass
class Tree(Base):
    """`evolray tree`: grows."""

    name: str = MISSING
    """Either | or."""
    said: str = "own"
    leaf: Leaf = field(default_factory=lambda: Leaf(size=4))
    leaves: dict[str, Leaf] = field(default_factory=dict)
    """By name."""
    numbers: list[float] = field(default_factory=lambda: [0.5, 2.0])
    """See `evolray train`."""


def test_the_page_in_conf_is_that_of_the_dataclasses() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.to_markdown(), (
        "conf/README.md is older than the settings; make it anew: python -m evolray.config.reference > conf/README.md"
    )


def test_every_command_with_settings_is_in_it() -> None:
    stages = {name: getattr(config, schema) for name, schema, _ in cli.STAGES}
    assert dict(reference.COMMANDS) == stages


@pytest.mark.parametrize("schema", [*reference.COMMANDS.values(), *SECTIONS], ids=lambda schema: schema.__name__)
def test_every_setting_says_what_it_is(schema: type) -> None:
    """A field's docstring stands below it; a section may leave that to its class."""
    assert about(schema)
    assert [one.name for one in settings(schema) if not one.about and not one.section] == []


def test_every_link_leads_somewhere() -> None:
    page = reference.to_markdown()
    anchors = {
        heading.lower().replace(" ", "-").replace("/", "") for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]*)\)", page)
    assert {"#endpoint", "#evolray-train", "evolve/wizardlm.yaml"} <= set(links)
    assert [link for link in links if link.startswith("#") and link[1:] not in anchors] == []
    assert [link for link in links if not link.startswith("#") and not (ROOT / "conf" / link).is_file()] == []


def test_every_yaml_file_of_conf_is_in_it() -> None:
    page = reference.to_markdown()
    for path in (ROOT / "conf").rglob("*.yaml"):
        row = next(line for line in page.splitlines() if f"]({path.relative_to(ROOT / 'conf').as_posix()})" in line)
        assert re.search(r"\| [^|]+\. \|$", row), row  # a sentence from the file's own comment


def test_a_page_without_a_folder_of_files_has_the_settings_alone(tmp_path: Path) -> None:
    page = reference.to_markdown(tmp_path / "none")
    assert "## Files in conf/" not in page
    assert "## evolray evolve" in page


def test_settings_come_own_first_with_the_docstrings_below_them() -> None:
    found = {one.name: one for one in settings(Tree)}
    assert list(found) == ["name", "said", "leaf", "leaves", "numbers", "inherited"]
    assert found["said"].default == "own"
    assert found["said"].about == "The base's words."  # nothing of its own
    assert found["name"].default == MISSING
    assert (found["leaf"].section, found["leaf"].is_by_name) == (Leaf, False)
    assert (found["leaves"].section, found["leaves"].is_by_name) == (Leaf, True)


def test_defaults_are_those_of_the_place() -> None:
    [size] = settings(Leaf, Tree(name="a").leaf)
    assert (size.default, size.about) == (4, "How large.\n\nIn any unit.")


def test_a_section_of_one_command_is_dotted(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Wood:
        """`evolray wood`: stands."""

        leaf: Leaf = field(default_factory=lambda: Leaf(size=5))

    monkeypatch.setattr("evolray.config.documented._docstrings", lambda schema: {})  # it has no source of its own
    monkeypatch.setattr(reference, "COMMANDS", {"wood": Wood})
    page = reference.to_markdown(None)
    assert "## evolray wood\n\nStands.\n" in page
    assert "| `leaf` | section |  | A leaf. |\n| `leaf.size` | whole number | `5` |  |\n" in page


def test_a_shared_section_is_a_link_with_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "COMMANDS", {"tree": Tree})
    page = reference.to_markdown(None)
    assert "Commands: [tree](#evolray-tree).\n\nShared sections: [leaf](#leaf).\n" in page
    assert "| `leaf` | [leaf](#leaf) | `size: 4` | A leaf. |\n" in page
    assert "| `leaves` | {name: [leaf](#leaf)} | `{}` | By name. |\n" in page
    assert "### Leaf\n\nA leaf.\n\n| setting | is | default | what it is |\n| --- | --- | --- | --- |\n" in page
    assert "| `size` | whole number | `3` | How large.<br>In any unit. |\n" in page


def test_cells_are_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "COMMANDS", {"tree": Tree})
    page = reference.to_markdown(None)
    assert "| `name` | text | **required** | Either \\| or. |\n" in page
    numbers = "| `numbers` | list of numbers | `[0.5, 2.0]` | See [`evolray train`](#evolray-train). |\n"
    assert numbers in page
    assert "| `inherited` | true or false | `false` | From below. |\n" in page
