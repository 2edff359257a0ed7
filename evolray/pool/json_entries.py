"""Entries of a JSON array or of JSON lines, read with one entry and one buffer in memory.

An entry is a pair: the 1-based line where it begins and its decoded value, or a `BadSeed` when this one entry could not
be decoded. A syntax error inside an array stops the reading with a UserError, because the places of the further entries
cannot be trusted; a broken line costs only itself.
"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, NoReturn, TextIO

from evolray.errors import UserError

Entry = tuple[int, object]

CHUNK_CHARS = 1 << 16  # read from an array at a time
HEAD_BYTES = 1 << 16  # looked at to recognise a container
MAX_ENTRY_BYTES = 100 << 20  # one entry must fit in memory several times over
BOM = b"\xef\xbb\xbf"
EXPECTED = "a JSON array, JSON lines (either may be gzipped) or Parquet, in UTF-8"

# float takes any number of digits, where int() raises beyond 4,300; no number is ever used.
_DECODER = json.JSONDecoder(parse_int=float)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what errors="surrogateescape" makes of undecodable bytes
_ENDS_NUMBER = frozenset(" \t\r\n,]")
_CUT_CHARS = 16  # longer than any literal or escape, so than how far before a cut the decoder may complain


class BadSeed(Exception):
    """Why one entry cannot be a seed; the other entries are not affected."""


def json_entries(stream: BinaryIO, shown: str) -> Iterator[Entry]:
    """Recognise an array or lines by the first characters; the suffix decides only where these leave a doubt."""
    if holds_lines(stream, shown):
        yield from read_lines(stream)
    else:
        with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="\n") as text:
            yield from _ArrayReader(text, shown)


def holds_lines(stream: BinaryIO, shown: str) -> bool:
    """Whether the stream, which stays at its beginning, holds one entry per line; else it holds an array.

    Raises UserError when it is neither.
    """
    head = stream.read(HEAD_BYTES).removeprefix(BOM).lstrip()
    stream.seek(0)
    if not head:
        raise UserError(f"{shown}: is empty. Expected {EXPECTED}.")
    is_named_lines = PurePosixPath(shown.lower().removesuffix(".gz")).suffix in {".jsonl", ".ndjson"}
    first_line, newline, _ = head.partition(b"\n")
    if head[:1] == b"[" and (not is_named_lines or head[1:].lstrip()[:1] == b"{"):
        return False
    if is_named_lines:
        return True
    if head[:1] != b"{":
        raise UserError(f"{shown}: begins with {head[:12]!a}, which is no seed file. Expected {EXPECTED}.")
    if newline and isinstance(problem := _decode_line(first_line), BadSeed):
        hint = "make it an array of entries, or name it .jsonl if it does hold one entry per line"
        raise UserError(f"{shown}: begins with an object that does not end on its line ({problem}); {hint}.")
    return True


def read_lines(stream: BinaryIO, first_line: int = 1) -> Iterator[Entry]:
    """One entry per line that is not blank. Lines end at a newline byte only: U+2028 may stand inside JSON text.

    `first_line`: the number of the line at which the stream stands.
    """
    for line, raw in raw_lines(stream, first_line):
        if len(raw) == MAX_ENTRY_BYTES and not raw.endswith(b"\n"):
            yield line, BadSeed(f"the line is longer than {MAX_ENTRY_BYTES:,} bytes")
        elif is_entry(raw):
            yield line, _decode_line(raw)


def raw_lines(stream: BinaryIO, first_line: int = 1) -> Iterator[tuple[int, bytes]]:
    """The lines of a stream, each with its number; of one longer than MAX_ENTRY_BYTES, so much."""
    line = first_line - 1
    while raw := stream.readline(MAX_ENTRY_BYTES):
        line += 1
        if len(raw) == MAX_ENTRY_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(CHUNK_CHARS)) and not rest.endswith(b"\n"):
                pass
        yield line, raw.removeprefix(BOM) if line == 1 else raw


def is_entry(raw: bytes) -> bool:
    """Whether a line holds anything."""
    return bool(raw) and not raw.isspace()


def _decode_line(raw: bytes) -> object:
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadSeed(f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line")
    except json.JSONDecodeError as error:
        return BadSeed(f"not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return BadSeed("not readable: JSON nested too deeply")


class _ArrayReader:
    """Elements of a JSON array one at a time, each with the line where it begins.

    `buffer` holds the text from the first unread element on; `line` and `column` are those of `position` in it.
    """

    def __init__(self, text: TextIO, shown: str) -> None:
        self.text = text
        self.shown = shown
        self.buffer = ""
        self.position = 0
        self.line = 1
        self.column = 1
        self.ended = False

    def __iter__(self) -> Iterator[Entry]:
        self._next_char()
        self._advance(self.position + 1)  # the bracket by which the array was recognised
        if self._next_char() == "]":
            self._advance(self.position + 1)
        else:
            yield from self._elements()
        if self._next_char():
            self._stop("text after the end of the array", self.position)

    def _elements(self) -> Iterator[Entry]:
        while True:
            if not self._next_char():
                self._stop("the file ends inside the array", self.position)
            line = self.line
            value, end = self._decode()
            if _NOT_UTF8.search(self.buffer, self.position, end):
                value = BadSeed("not UTF-8: the entry holds bytes that cannot be decoded")
            self._advance(end)
            yield line, value
            separator = self._next_char()
            if separator not in (",", "]"):
                self._stop("expected a comma or the end of the array", self.position)
            self._advance(self.position + 1)
            if separator == "]":
                return

    def _decode(self) -> tuple[object, int]:
        """The element at `position` and where it ends, reading on until it is whole."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.position)
                # Near the end of the buffer "1" may be the beginning of "12" or "1.5e3".
                if self.ended or self.buffer[end : end + 1] in _ENDS_NUMBER or end <= len(self.buffer) - _CUT_CHARS:
                    return value, end
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self.buffer) - _CUT_CHARS
                if self.ended or not is_cut:
                    self._stop(error.msg, error.pos)
            except RecursionError:
                self._stop("an entry is nested too deeply", self.position)
            if len(self.buffer) - self.position > MAX_ENTRY_BYTES:
                self._stop(f"an entry is longer than {MAX_ENTRY_BYTES:,} characters", self.position)
            self._read_on()

    def _next_char(self) -> str:
        """Skip white space; the character then at `position`, "" at the end of the file."""
        while True:
            found = _SPACE.match(self.buffer, self.position)
            self._advance(found.end() if found else self.position)
            if self.position < len(self.buffer) or self.ended:
                return self.buffer[self.position : self.position + 1]
            self._read_on()

    def _read_on(self) -> None:
        """Drop what was read and at least double the rest, so that a long element is not decoded too often."""
        rest = self.buffer[self.position :]
        more = self.text.read(max(CHUNK_CHARS, len(rest)))
        self.ended = not more
        self.buffer, self.position = rest + more, 0

    def _advance(self, end: int) -> None:
        self.line, self.column = self._place(end)
        self.position = end

    def _place(self, end: int) -> tuple[int, int]:
        num_newlines = self.buffer.count("\n", self.position, end)
        if num_newlines:
            return self.line + num_newlines, end - self.buffer.rindex("\n", self.position, end)
        return self.line, self.column + end - self.position

    def _stop(self, problem: str, at: int) -> NoReturn:
        line, column = self._place(at)
        raise UserError(
            f"{self.shown}: the JSON array is broken at line {line}, column {column}: {problem}. What follows cannot "
            "be told apart into entries. Repair the file, or write one entry per line (.jsonl), where a bad line costs "
            "only itself."
        )
