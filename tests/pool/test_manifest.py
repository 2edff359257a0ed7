"""The two files in which a run speaks of itself: what it is, and how it stands."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder
from evolray.pool.manifest import Manifest, describe_run, read_manifest, write_manifest

IDENTITY: dict[str, Any] = {
    "domain": "open",
    "generations": 4,
    "seed": 0,
    "operators": {"deepen": 1.0, "mutate": 0.5},
    "teacher": {"model": "m", "system": "You are a helpful assistant.", "temperature": 1e-05, "extra_body": {"a": [1]}},
}
PROMPTS = {"equality": "aa", "response": "bb"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "run"))


def changed(path: str, value: Any) -> dict[str, Any]:
    """IDENTITY with another value at a dotted path."""
    identity: dict[str, Any] = json.loads(json.dumps(IDENTITY))
    *sections, name = path.split(".")
    inner = identity
    for section in sections:
        inner = inner[section]
    inner[name] = value
    return identity


def test_a_described_run_holds_config_identity_and_versions(folder: Folder) -> None:
    describe_run(folder, {"run": "runs/a", "teacher": {"model": "模型"}}, PROMPTS, IDENTITY)
    described = yaml.safe_load(folder.read("run.yaml"))
    assert described["config"] == {"run": "runs/a", "teacher": {"model": "模型"}}
    assert described["identity"] == IDENTITY | {"prompts": PROMPTS}
    assert {"python", "evolray", "ray", "pyarrow"} <= set(described["versions"])


def test_the_same_settings_are_accepted_again_and_the_new_config_is_kept(folder: Folder) -> None:
    for actors in (1, 4):
        describe_run(folder, {"actors": actors}, PROMPTS, IDENTITY)
    assert yaml.safe_load(folder.read("run.yaml"))["config"] == {"actors": 4}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("domain", "math", "domain=open and would now go on with domain=math"),
        ("seed", 1, "seed=0 and would now go on with seed=1"),
        ("generations", 3, "generations=4 and would now go on with generations=3"),
        ("operators.mutate", 1.0, "operators.mutate=0.5 and would now go on with operators.mutate=1.0"),
        ("teacher.model", "n", "teacher.model=m and would now go on with teacher.model=n"),
        ("teacher.temperature", 0.0, "teacher.temperature=1e-05 and would now go on with teacher.temperature=0.0"),
        ("teacher.extra_body.a", [2], "teacher.extra_body.a=[1] and would now go on with teacher.extra_body.a=[2]"),
        ("judge", {"model": "n"}, "judge=None and would now go on with judge={'model': 'n'}"),
    ],
)
def test_a_setting_that_makes_another_pool_is_refused_by_name(
    folder: Folder, path: str, value: Any, named: str
) -> None:
    describe_run(folder, {}, PROMPTS, IDENTITY)
    before = folder.read("run.yaml")
    with pytest.raises(UserError) as raised:
        describe_run(folder, {}, PROMPTS, changed(path, value))
    assert f"{folder.url} was made with {named}." in str(raised.value)
    assert "Choose another run=" in str(raised.value)
    assert folder.read("run.yaml") == before


def test_a_prompt_with_another_wording_is_refused(folder: Folder) -> None:
    describe_run(folder, {}, PROMPTS, IDENTITY)
    with pytest.raises(UserError, match=r"prompts\.equality=aa and would now go on with prompts\.equality=cc"):
        describe_run(folder, {}, PROMPTS | {"equality": "cc"}, IDENTITY)


def test_generations_may_grow_but_what_they_grew_to_counts_from_then_on(folder: Folder) -> None:
    describe_run(folder, {}, PROMPTS, IDENTITY)
    describe_run(folder, {}, PROMPTS, changed("generations", 6))
    with pytest.raises(UserError, match="generations=6 and would now go on with generations=5"):
        describe_run(folder, {}, PROMPTS, changed("generations", 5))


def test_what_is_set_by_generation_may_grow_with_them_and_only_then(folder: Folder) -> None:
    def grown(generations: int, weights: dict[int, dict[str, float]]) -> dict[str, Any]:
        return {**changed("generations", generations), "operators_by_generation": weights}

    second, third = {2: {"deepen": 3.0}}, {3: {"deepen": 5.0}}
    describe_run(folder, {}, PROMPTS, changed("generations", 1))
    describe_run(folder, {}, PROMPTS, grown(2, second))
    for identity in (grown(3, third), changed("generations", 3)):
        with pytest.raises(UserError, match=r"operators_by_generation\.2={'deepen': 3.0} and would .*\.2=None"):
            describe_run(folder, {}, PROMPTS, identity)
    describe_run(folder, {}, PROMPTS, grown(3, second | third))
    describe_run(folder, {}, PROMPTS, grown(3, second | third))
    with pytest.raises(UserError, match=r"operators_by_generation\.3\.deepen=5.0 and would now go on with .*=4.0"):
        describe_run(folder, {}, PROMPTS, grown(4, second | {3: {"deepen": 4.0}}))


@pytest.mark.parametrize("text", ["", "yes", "1e3", " x ", "two\nlines", "😀\u2028é", "\ufeff", "\0\x1b"])
def test_whatever_a_setting_holds_it_equals_itself_on_the_next_run(folder: Folder, text: str) -> None:
    for _ in range(2):
        describe_run(folder, {"system": text}, PROMPTS, changed("teacher.system", text))
    with pytest.raises(UserError, match=r"teacher\.system"):
        describe_run(folder, {}, PROMPTS, changed("teacher.system", text + "!"))


@pytest.mark.parametrize("content", [b"", b"a: [", b"config: {}", b"- 1", b"\xff\xfe\x00", b"identity: 3"])
def test_a_run_yaml_that_is_none_is_named(folder: Folder, content: bytes) -> None:
    folder.write("run.yaml", content)
    with pytest.raises(UserError, match=r"run\.yaml"):
        describe_run(folder, {}, PROMPTS, IDENTITY)
    assert folder.read("run.yaml") == content


def test_a_manifest_is_read_back_with_the_time_of_its_writing(folder: Folder) -> None:
    assert read_manifest(folder) is None
    manifest = Manifest(
        folder.url, "complete", "open", "m", 4, {"entries": 3}, {"all": 1}, [{"generation": 0}], kept=2, cost=0.25,
        tokens={"prompt": 1}, seconds=1.5, digest="0" * 64, message="日本語", live={"calls": 1}, updated_at=0.0,
    )  # fmt: skip
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest
    assert manifest.updated_at > 0.0


def test_a_manifest_is_json_with_the_names_that_others_read(folder: Folder) -> None:
    write_manifest(folder, Manifest(folder.url, "out_of_budget"))
    manifest = json.loads(folder.read("manifest.json"))
    assert {"accounts", "operators", "calls", "tokens", "cost", "seconds", "status", "digest"} <= set(manifest)
    assert manifest["status"] == "out_of_budget"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b'{"status": "complete"}', b'{"run": "a", "stati": ""}', b"\xff"]
)
def test_a_manifest_that_cannot_be_read_is_named(folder: Folder, content: bytes) -> None:
    folder.write("manifest.json", content)
    with pytest.raises(UserError, match=r"manifest\.json cannot be read .*; was it edited"):
        read_manifest(folder)
