"""Seed files in, Seeds and Failed out: every shape, every place where a file can be wrong, and nothing lost."""

import gzip
import io
import json
import random
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.pool import json_entries
from evolray.pool.json_entries import BadSeed
from evolray.pool.seed_formats import without_credentials
from evolray.pool.seeds import check_encodable, content_key, conversation_of, read_seeds, texts_of
from evolray.records import Failed, Seed, Turn

Write = Callable[..., str]
CHAT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "Name a tree."},
    {"from": "gpt", "value": "Oak."},
    {"from": "human", "value": "And a flower?"},
    {"from": "gpt", "value": "Rose."},
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes | list[Any]) -> str:
        """A file whose content is text, bytes, or entries as JSON (one a line, or an array when named .json)."""
        if isinstance(content, list):
            lines = [json.dumps(entry) for entry in content]
            content = "[" + ",\n".join(lines) + "]" if ".json" in name and ".jsonl" not in name else "\n".join(lines)
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


def seeds_of(path: str, **options: Any) -> list[Seed]:
    outcomes = list(read_seeds(path, **options))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    return [outcome for outcome in outcomes if isinstance(outcome, Seed)]


def failed_beside_a_good_one(write: Write, entry: object, **options: Any) -> Failed:
    good, failed = read_seeds(write("bad.jsonl", [{"instruction": "fine"}, entry]), **options)
    assert isinstance(good, Seed)
    assert isinstance(failed, Failed)
    assert (failed.cause, failed.operator, failed.generation, failed.root_id) == ("bad_seed", "seed", 0, "")
    assert (failed.line, failed.source.endswith("bad.jsonl")) == (2, True)
    return failed


# --- shapes ---


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"instruction": "i", "input": "x", "output": "o"}, ("i", "x", "o")),
        ({"instruction": "i", "input": "x", "response": "r"}, ("i", "x", "r")),
        ({"instruction": "i", "output": "o", "response": "r"}, ("i", "", "r")),
        ({"instruction": "i", "output": "o", "response": " "}, ("i", "", "o")),
        ({"instruction": "i", "input": None, "output": None}, ("i", "", "")),
        ({"idx": 1, "Skill": "Math", "Instruction": "i"}, ("i", "", "")),
        ({"question": "q", "answer": "#### 18"}, ("q", "", "#### 18")),
        ({"problem": "p", "solution": "s", "answer": "18"}, ("p", "", "s")),
        ({"prompt": "p", "completion": "c"}, ("p", "", "c")),
        ({"instruction": "", "question": "q"}, ("q", "", "")),
        ({"instruction": "i", "instances": [{"input": "1", "output": "one"}, {"input": "2"}]}, ("i", "1", "one")),
        ({"instruction": "i", "instances": []}, ("i", "", "")),
        ({"instruction": "  kept as it stands\n", "output": " so "}, ("  kept as it stands\n", "", " so ")),
        ({"instruction": "a\0b"}, ("a\0b", "", "")),
    ],
)
def test_flat_entries_and_the_precedence_of_their_keys(
    write: Write, entry: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    for name in ("seeds.json", "seeds.jsonl"):
        (seed,) = seeds_of(write(name, [entry]))
        assert (seed.instruction, seed.input, seed.response) == expected
        assert (seed.line, seed.source.endswith(name), seed.context) == (1, True, ())


@pytest.mark.parametrize(
    "words",
    '<No Input>|No input.|noinput|< noinput >|(No input)|[noinput]|"<noinput>"|\\<noinput\\>|{\\noinput}|<Noinput>.|'
    "<noput>|<ninput>|No-Input|no input required.|N/A|n/a.|None|<none>|NULL|Not applicable.| \n ".split("|"),
)
def test_words_for_no_input_mean_none(write: Write, words: str) -> None:
    (seed,) = seeds_of(write("a.json", [{"instruction": "i", "input": words, "output": "o"}]))
    assert seed.input == ""


@pytest.mark.parametrize(
    "words", ["John", "No", "Na", "NA", "Norway", "input", "None of the above", "No input was wrong", "Nonet", "0", "-"]
)
def test_real_inputs_that_look_alike_stay(write: Write, words: str) -> None:
    (seed,) = seeds_of(write("a.json", [{"instruction": "i", "input": words, "output": "none"}]))
    assert (seed.input, seed.response) == (words, "none")


@pytest.mark.parametrize(
    ("turn", "instruction", "response", "num_before"),
    [
        ("first", "Name a tree.", "Oak.", 1),
        ("0", "Name a tree.", "Oak.", 1),
        ("last", "And a flower?", "Rose.", 3),
        ("1", "And a flower?", "Rose.", 3),
    ],
)
def test_a_human_turn_is_evolved_in_its_context(
    write: Write, turn: str, instruction: str, response: str, num_before: int
) -> None:
    (seed,) = seeds_of(write("chat.json", [{"id": "c", "conversations": CHAT}]), turn=turn)
    assert (seed.instruction, seed.input, seed.response) == (instruction, "", response)
    before = (Turn("system", "Be brief."), Turn("user", "Name a tree."), Turn("assistant", "Oak."))
    assert seed.context == before[:num_before]


def test_messages_with_role_and_content_win_over_a_prompt_beside_them(write: Write) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    (seed,) = seeds_of(write("m.jsonl", [{"prompt": "other", "conversations": None, "messages": messages}]))
    assert (seed.instruction, seed.response, seed.context) == ("Hi", "Hello", ())


def test_a_human_turn_without_a_reply_has_no_response_and_a_blank_system_turn_is_none(write: Write) -> None:
    turns = [{"from": "system", "value": ""}, {"from": "human", "value": "a"}, {"from": "human", "value": "b"}]
    first, last = (seeds_of(write("c.jsonl", [{"conversations": turns}]), turn=turn)[0] for turn in ("first", "last"))
    assert (first.instruction, first.response, first.context) == ("a", "", ())
    assert (last.instruction, last.response, last.context) == ("b", "", (Turn("user", "a"),))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1], "the entry is an array; expected an object"),
        ("text", "the entry is text"),
        (None, "the entry is null"),
        ({}, "no instruction; found the keys (none)"),
        ({"text": "x", "\ud800": 1}, "no instruction; found the keys 'text', '\\ud800', expected one of instruction"),
        ({"instruction": " \n"}, "instruction is blank"),
        ({"instruction": 5}, "instruction is a number; expected text"),
        ({"instruction": ["x"]}, "instruction is an array; expected text"),
        ({"instruction": "i", "input": {}}, "input is an object; expected text"),
        ({"question": "q", "answer": 18}, "answer is a number; expected text"),
        ({"instruction": "i", "instances": "x"}, "instances is text; expected an array"),
        ({"instruction": "i", "instances": ["x"]}, "the first of instances is text; expected an object"),
        ({"instruction": "x" * 60_000, "input": "y" * 40_001}, "100,001 characters; at most 100,000"),
        ({"instruction": "half \ud83d"}, "half of a surrogate pair"),
        ({"instruction": "i", "output": "\udc00"}, "half of a surrogate pair"),
        ({"conversations": "x"}, "conversations is text; expected an array of turns"),
        ({"conversations": []}, "the conversation of 0 turns has no human turn"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "has no human turn"),
        ({"conversations": ["x"]}, "turn 0 of conversations is text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "turn 0 of messages is from 'tool'; expected one of system"),
        ({"conversations": [{"from": 1, "value": "x"}]}, "turn 0 of conversations: from is a number; expected text"),
        ({"messages": [{"role": "user", "content": [1]}]}, "turn 0 of messages: content is an array; expected text"),
        (
            {"messages": [{"role": "user", "content": " "}]},
            "the chosen human turn (turn 0 of the conversation) is blank",
        ),
        ({"conversations": [{"from": "gpt", "value": ""}, CHAT[1]]}, "a turn before the chosen human turn is blank"),
        ({"conversations": [{"from": "gpt", "value": "\udbff"}, CHAT[1]]}, "half of a surrogate pair"),
    ],
)
def test_an_entry_that_cannot_be_a_seed_fails_with_its_reason_and_line(
    write: Write, entry: object, message: str
) -> None:
    failed = failed_beside_a_good_one(write, entry)
    assert message in failed.message
    failed.message.encode()  # is stored as UTF-8


def test_a_conversation_with_fewer_human_turns_than_asked_for_fails(write: Write) -> None:
    failed = failed_beside_a_good_one(write, {"conversations": CHAT}, turn="2")
    assert "has 2 human turns, so none with the number 2" in failed.message


def test_an_instruction_of_exactly_the_longest_length_is_taken(write: Write) -> None:
    assert len(seeds_of(write("a.jsonl", [{"instruction": "x" * 100_000}]))[0].instruction) == 100_000


def test_training_reads_entries_by_the_same_rules() -> None:
    """A seed is one human turn; what a student is trained on is the whole conversation, blank turns seen as blank."""
    blank = [*CHAT, {"from": "human", "value": " "}]
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    turns = conversation_of({"conversations": blank, "instruction": "no"})
    assert turns == [Turn(role, turn["value"].strip()) for role, turn in zip(roles, blank, strict=True)]
    assert conversation_of({"messages": None, "instruction": "i"}) is None
    assert conversation_of({"messages": []}) == []
    assert texts_of({"instruction": "i", "input": "N/A", "output": "o"}) == ("i", "", "o")
    assert texts_of({"instruction": "i", "instances": [{"input": "x", "output": "o"}]}) == ("i", "x", "o")
    for read, entry in ((conversation_of, "text"), (conversation_of, {"messages": 1}), (texts_of, {"output": "o"})):
        with pytest.raises(BadSeed):
            read(entry)
    check_encodable("\0 is kept", "\U0001f600")
    with pytest.raises(BadSeed, match="surrogate"):
        check_encodable("fine", "\ud83d")


# --- JSON lines ---


def test_broken_lines_fail_alone_with_their_line_number(write: Write) -> None:
    lines = [b"\xef\xbb\xbf" + b'{"instruction": "one"}', b"", b'{"instruction": "two"', b'{"instruction": "\xff"}']
    lines += [b"[" * 100_000, b"   ", b'{"instruction": "five", "n": ' + b"9" * 5000 + b"}\r", b'{"instruction": 6} x']
    lines += ['{"instruction": "U+2028 \u2028 does not end a line"}'.encode(), b"null"]
    outcomes = list(read_seeds(write("a.jsonl", b"\n".join(lines))))
    assert [(outcome.line, type(outcome).__name__) for outcome in outcomes] == [
        (1, "Seed"), (3, "Failed"), (4, "Failed"), (5, "Failed"),
        (7, "Seed"), (8, "Failed"), (9, "Seed"), (10, "Failed"),
    ]  # fmt: skip
    messages = [outcome.message for outcome in outcomes if isinstance(outcome, Failed)]
    for message, part in zip(
        messages, ["not JSON: Expecting", "not UTF-8: byte 0xff at byte 18", "nested too deeply", "Extra data", "null"],
        strict=True,
    ):  # fmt: skip
        assert part in message


def test_a_line_of_50_megabytes_is_one_entry(write: Write) -> None:
    line = b'{"instruction": "long", "unused": "' + b"x" * 50_000_000 + b'"}\n{"instruction": "next"}'
    assert [(seed.instruction, seed.line) for seed in seeds_of(write("a.jsonl", line))] == [("long", 1), ("next", 2)]


def test_a_line_beyond_the_limit_fails_and_the_next_goes_on(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_entries, "MAX_ENTRY_BYTES", 1000)
    path = write("a.jsonl", [{"instruction": "x" * 200_000}, {"instruction": "next"}])
    failed, seed = read_seeds(path)
    assert isinstance(failed, Failed) and "longer than 1,000 bytes" in failed.message
    assert isinstance(seed, Seed) and (seed.instruction, seed.line) == ("next", 2)


# --- JSON arrays ---


def test_an_array_gives_the_same_entries_and_lines_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"instruction": 'a "quoted" \\ \u00e9 \U0001f600', "n": [-3.5e-10, 12, True, None]},
        12.25,
        "text",
        [],
        {},
    ]
    text = "\n [\n" + ",\n\n".join(json.dumps(entry, indent=1) for entry in entries) + " \n]\n"
    lines = text.split("\n")
    for num_chars in range(1, len(text) + 1):  # so that the first cut falls at every place once
        monkeypatch.setattr(json_entries, "CHUNK_CHARS", num_chars)
        found = list(json_entries._ArrayReader(io.StringIO(text, newline="\n"), "seeds.json"))
        assert [value for _, value in found] == entries, num_chars
        assert [line for line, _ in found] == [3, 13, 15, 17, 19], num_chars
        assert [lines[line - 1][:1] for line, _ in found] == ["{", "1", '"', "[", "{"]


def test_array_elements_of_the_wrong_shape_fail_alone(write: Write) -> None:
    data = b'\xef\xbb\xbf[\n{"instruction": "one"},\n7,\n{"instruction": "\xff"},\n{"instruction": "four"}]'
    outcomes = list(read_seeds(write("a.json", data)))
    assert [(outcome.line, type(outcome).__name__) for outcome in outcomes] == [
        (2, "Seed"), (3, "Failed"), (4, "Failed"), (5, "Seed"),
    ]  # fmt: skip
    assert [outcome.message.split(";")[0] for outcome in outcomes if isinstance(outcome, Failed)] == [
        "the entry is a number", "not UTF-8: the entry holds bytes that cannot be decoded",
    ]  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 5, 1 << 16])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"instruction": "a"},\n  {"instruction": b}]', "line 2, column 19: Expecting value"),
        ('[{"instruction": "a"}\n {"instruction": "b"}]', "line 2, column 2: expected a comma"),
        ('[{"instruction": "a"},\n {"instruction": "b"}', "line 2, column 22: expected a comma or the end"),
        ('[{"instruction": "a"},\n', "line 2, column 1: the file ends inside the array"),
        ('[{"instruction": "a"},\n {"instruction": "b', "line 2, column 18: Unterminated string"),
        ('[{"instruction": "a"}]\n\n[{"instruction": "b"}]', "line 3, column 1: text after the end"),
        ('[{"instruction": "a"},\n' + '{"k":' * 100_000, "line 2, column 1: an entry is nested too deeply"),
    ],
)
def test_a_broken_array_stops_the_reading_where_it_is_broken(
    write: Write, monkeypatch: pytest.MonkeyPatch, text: str, place: str, chunk: int
) -> None:
    monkeypatch.setattr(json_entries, "CHUNK_CHARS", chunk)
    reading = read_seeds(write("a.json", text))
    first = next(reading)
    assert isinstance(first, Seed) and first.instruction == "a"
    with pytest.raises(UserError) as error:
        deque(reading, maxlen=0)
    assert f"a.json: the JSON array is broken at {place}" in str(error.value)
    assert "Repair the file" in str(error.value)


def test_memory_does_not_grow_with_the_array(write: Write) -> None:
    def peak_bytes(num_entries: int) -> int:
        path = write("a.json", [{"instruction": f"task {i}", "output": "word " * 100} for i in range(num_entries)])
        tracemalloc.start()
        num_read = sum(1 for _ in read_seeds(path))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert num_read == num_entries
        return peak

    assert peak_bytes(4000) < 1.2 * peak_bytes(400)


# --- containers ---


@pytest.mark.parametrize(
    "name", ["a.json", "a.jsonl", "a.json.gz", "a.jsonl.gz", "a.data", "a.jsonl.data.gz", "zip.me"]
)
@pytest.mark.parametrize("layout", ["array", "lines"])
def test_content_decides_and_gzip_is_opened(write: Write, name: str, layout: str) -> None:
    entries = [{"instruction": "one"}, {"instruction": "two"}]
    text = json.dumps(entries, indent=2) if layout == "array" else "\n" + "\n".join(map(json.dumps, entries))
    data = gzip.compress(text.encode()) if "z" in name else text.encode()
    assert [seed.instruction for seed in seeds_of(write(name, data))] == ["one", "two"]


def test_a_jsonl_file_may_begin_with_a_bad_line(write: Write) -> None:
    for first in (b"oops", b'["an array"]', b"{"):
        failed, seed = read_seeds(write("a.jsonl", first + b'\n{"instruction": "b"}'))
        assert isinstance(failed, Failed) and failed.line == 1
        assert isinstance(seed, Seed) and seed.line == 2


def test_parquet_rows_have_row_numbers_and_flat_or_chat_columns(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "instruction": "one", "input": "<noinput>", "output": "o", "conversations": None},
        {"id": 2, "instruction": None, "input": None, "output": None, "conversations": None},
        {"id": 3, "instruction": None, "input": None, "output": None, "conversations": CHAT},
    ]
    path = tmp_path / "rows.bin"  # recognised by its content
    pq.write_table(pa.Table.from_pylist(rows * 1000), path)
    outcomes = list(read_seeds(str(path), turn="first"))
    assert [outcome.line for outcome in outcomes] == list(range(1, 3001))
    one, failed, chat = outcomes[-3:]
    assert one == Seed("one", "", "o", (), str(path), 2998)
    assert isinstance(failed, Failed) and failed.message.startswith("no instruction")
    assert chat == Seed("Name a tree.", "", "Oak.", (Turn("system", "Be brief."),), str(path), 3000)


def test_a_row_group_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [random.Random(row).randbytes(250).hex() for row in range(30_000)]
    pq.write_table(pa.table({"instruction": texts}), path, compression="none", use_dictionary=False)
    assert pq.read_metadata(path).num_row_groups == 1
    del texts
    tracemalloc.start()
    num_read = sum(1 for _ in read_seeds(str(path)))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_read == 30_000
    assert peak_bytes < path.stat().st_size / 5


def test_a_parquet_text_that_is_not_utf8_fails_alone(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"\xff\xfe", b"three"]).view(pa.string())
    pq.write_table(pa.table({"instruction": texts}), tmp_path / "a.parquet")
    one, failed, three = read_seeds(str(tmp_path / "a.parquet"))
    assert isinstance(one, Seed) and isinstance(three, Seed) and three.line == 3
    assert isinstance(failed, Failed) and "not UTF-8" in failed.message and failed.line == 2


def test_parquet_without_a_known_column_or_cut_off_is_refused(tmp_path: Path, write: Write) -> None:
    pq.write_table(pa.table({"text": ["x"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="has the columns text, n; expected some of instruction"):
        list(read_seeds(str(tmp_path / "a.parquet")))
    with pytest.raises(UserError, match=r"b\.parquet: cannot be read"):
        list(read_seeds(write("b.parquet", (tmp_path / "a.parquet").read_bytes()[:-20])))


def test_a_url_is_opened_through_pyarrow(write: Write) -> None:
    for name in ("a.json", "a.jsonl"):
        (seed,) = seeds_of("file://" + write(name, [{"instruction": "one"}]))
        assert seed.instruction == "one" and seed.source.startswith("file://")
    path = write("c.jsonl.gz", gzip.compress(b'{"instruction": "one"}'))
    assert len(seeds_of("file://" + path)) == 1


def test_limit_takes_the_first_entries_the_failed_ones_counted(write: Write) -> None:
    path = write("a.jsonl", [{"instruction": "one"}, 2, {"instruction": "three"}])
    assert [outcome.line for outcome in read_seeds(path, limit=2)] == [1, 2]
    broken_after = write("b.json", '[{"instruction": "one"}, oops')
    assert len(seeds_of(broken_after, limit=1)) == 1


# --- mistakes of the user ---


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "is empty. Expected a JSON array, JSON lines"),
        ("a.json", " \n\t\n", "is empty"),
        ("a.json", "[ ]", "holds no entry"),
        (
            "a.csv",
            "instruction,output\na,b\n",
            "begins with b'instruction,', which is no seed file. Expected a JSON array",
        ),
        ("a.json", "[{}, 1]", "none of the 2 entries read is a usable seed; the first one, in line 1: no instruction"),
        ("a.json", '{"data": [\n{"instruction": "a"}\n]}', "begins with an object that does not end on its line"),
        ("a.json", '{"data": [{"instruction": "a"}]}', "none of the 1 entries read is a usable seed"),
        ("a.json.gz", gzip.compress(b'{"instruction": "a"}\n' * 9)[:-9], "cannot be read: Compressed file ended"),
    ],
)
def test_a_file_without_seeds_is_refused(write: Write, name: str, content: str | bytes, message: str) -> None:
    path = write(name, content)
    with pytest.raises(UserError) as error:
        list(read_seeds(path))
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_file_on_the_web_is_to_be_downloaded_first() -> None:
    with pytest.raises(UserError, match=r"^https://\*\*\*@example\.org/seeds\.json: .* Download it first"):
        list(read_seeds("https://me:secret@example.org/seeds.json"))


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for prefix in ("", "file://"):
        with pytest.raises(UserError, match=r"none\.json: no such file; check the path"):
            list(read_seeds(f"{prefix}{tmp_path}/none.json"))
        with pytest.raises(UserError, match=r"is a directory|cannot be read"):
            list(read_seeds(f"{prefix}{tmp_path}"))


@pytest.mark.parametrize("turn", ["", "middle", "-1", "1.5", "²"])
def test_an_unknown_turn_is_refused(write: Write, turn: str) -> None:
    with pytest.raises(UserError, match=r"seeds\.turn is .*; expected first, last or the number"):
        list(read_seeds(write("a.jsonl", [{"instruction": "a"}]), turn=turn))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(write: Write, limit: int) -> None:
    with pytest.raises(UserError, match=r"seeds\.limit is .*; expected a number from 1 on"):
        list(read_seeds(write("a.jsonl", [{"instruction": "a"}]), limit=limit))


def test_credentials_of_a_url_are_never_shown() -> None:
    assert without_credentials("s3://KEY:SECRET@bucket/a.json?region=x") == "s3://***@bucket/a.json?region=x"
    assert without_credentials("s3://bucket/user@home.json") == "s3://bucket/user@home.json"
    with pytest.raises(UserError) as error:
        list(read_seeds("nosuchscheme://KEY:SECRET@bucket/a.json"))
    assert "nosuchscheme://***@bucket/a.json: cannot be read" in str(error.value)
    assert "SECRET" not in str(error.value)


# --- datasets ---


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The datasets library, offline, and a folder of data files and one of each kind it saves."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    rows = [{"question": "q1", "answer": "a1", "level": 1}, {"question": " ", "answer": "a2", "level": 2}]
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "files" / "test.jsonl").write_text(json.dumps({"question": "t1", "answer": "ta", "level": 3}))
    table = datasets.Dataset.from_list(rows)
    table.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": table, "dev": table}).save_to_disk(tmp_path / "several")
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "train.jsonl").write_text(json.dumps({"question": "colon", "answer": ""}))
    yield datasets


@pytest.mark.parametrize("name", ["files", "files:train", "one", "several", "several:dev"])
def test_a_dataset_folder_is_streamed_by_rows(dataset: Any, tmp_path: Path, name: str) -> None:
    path = f"hf:{tmp_path}/{name}"
    seed, failed = read_seeds(path)
    assert seed == Seed("q1", "", "a1", (), path, 1)
    assert isinstance(failed, Failed) and (failed.line, failed.message) == (2, "question is blank; expected text")


def test_a_split_and_a_folder_with_a_colon_are_told_apart(dataset: Any, tmp_path: Path) -> None:
    assert [seed.instruction for seed in seeds_of(f"hf:{tmp_path}/files:test")] == ["t1"]
    assert [seed.instruction for seed in seeds_of(f"hf:{tmp_path}/a:b")] == ["colon"]
    assert [seed.instruction for seed in seeds_of(f"hf:{tmp_path}/a:b:train")] == ["colon"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("files:nosuch", "cannot be loaded: ValueError: Bad split: nosuch"),
        ("several:nosuch", "has no split nosuch; it has train, dev"),
        ("one:dev", "is one saved dataset without a split dev"),
        ("files:train[:5]", "expected hf:NAME or hf:NAME:SPLIT"),
        ("files:", "expected hf:NAME or hf:NAME:SPLIT"),
        ("none", "there is no folder"),
    ],
)
def test_a_dataset_that_is_not_there_is_refused(dataset: Any, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        list(read_seeds(f"hf:{tmp_path}/{name}"))
    assert message in str(error.value)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError) as error:
        list(read_seeds(f"hf:{tmp_path}"))
    assert 'pip install "evolray[hf]"' in str(error.value)


# --- identity ---


def test_the_content_key_sees_every_text_and_nothing_else() -> None:
    seed = Seed("i", "x", "r", (Turn("user", "c"),), "a.json", 1)
    assert len(content_key(seed)) == 8
    assert content_key(seed) == content_key(replace(seed, source="b.json", line=9))
    others = [replace(seed, instruction="i "), replace(seed, input=""), replace(seed, response="R")]
    others += [replace(seed, context=()), replace(seed, context=(Turn("assistant", "c"),))]
    others += [replace(seed, instruction="ix", input="")]
    assert len({content_key(other) for other in [seed, *others]}) == 7


def test_the_packaged_seeds_are_all_usable_and_differ() -> None:
    folder = Path(__file__).parents[2] / "conf" / "demo"
    for name in ("seeds_open.jsonl", "seeds_code.jsonl"):
        seeds = seeds_of(str(folder / name))
        assert len({seed.root_id for seed in seeds}) == len(seeds) >= 12
        assert 0 < sum(bool(seed.response) for seed in seeds) < len(seeds)
