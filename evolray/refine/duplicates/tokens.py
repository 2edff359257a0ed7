"""What of a record is compared with others, and as which shingles.

Prose is compared by its words and symbols: case, white space and the punctuation of sentences make no difference, but
C, C++ and C# are three languages, and 2 + 3 is not 2 - 3. Code is compared by its tokens, without comments and with
one name in place of all that its author chose, so that renaming variables or reordering imports changes little. A
record's shingles are the runs of `shingle` words of its prose and those of `CODE_SHINGLE` tokens of its code: a program
has few different tokens, so short runs of them are found in every program.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from evolray.refine.text.code import code_tokens, looks_like_code, split_code
from evolray.refine.text.hashing import Tokens, hash_tokens, mix, ngrams
from evolray.refine.text.words import UNSPACED

COLUMNS = {
    "instruction": ["context", "instruction"],
    "response": ["response"],
    "both": ["context", "instruction", "response"],
}
CODE_SHINGLE = 4  # tokens
_CODE = np.uint64(0xC0DE)  # keeps equal runs of words and of code tokens apart

_TOKEN = re.compile(r"""[^\W_]+(?:\+\+|\#)? | -(?=\s*\d) | [^\w\s.,;:!?'"()\[\]{}`\-…] """, re.VERBOSE)
_QUOTES = "\"'`"
_SENTENCE_MARKS = _QUOTES + ".,;:!?…"
_MAY_BE_CODE = re.compile(r"[;{}=]|\w\(|\n\s+\w")
_SENTENCE = re.compile(r"#+ |\W*[A-Z][a-z]*(?: [a-z]+,?){3}")  # begins so; or is a heading
# Where a program introduces names other than by assigning to them; in its tokens, each after a space.
_TYPES = "int|long|short|float|double|char|bool|boolean|auto|string|String|let|var|val|const|as|catch"
_INTRODUCED = re.compile(
    rf"""\ (?: (?:class|struct|interface|enum)\ (\w+)
        | (?:def|function|func|fn)\ (\w*\ ?\([^)]{{0,300}})
        | lambda\ ([^:]{{0,100}})
        | for\ \(?\ ?((?:\w+\ ,\ ){{0,5}}\w+)\ (?:in|of)\b
        | (?:{_TYPES})\ (?:[][*&>(]\ ?){{0,4}}(\w+) )""",
    re.VERBOSE,
)
_ASSIGNS = frozenset("= := += -= *= /= %= =>".split())
_NAME = re.compile(r"[^\W\d]\w*|\$\w+")
_KEYWORDS = frozenset(
    """and or not in is if elif else for while do switch case default break continue return yield await async try except
    with as lambda del global import from new def function class func fn struct interface enum let var val const auto
    int long short float double char bool boolean string String void unsigned str list dict tuple set object self this
    None True False null true false""".split()
)
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-"})

Parts = tuple[str, ...]


def compared(table: pa.Table, of: str) -> list[Parts]:
    """The texts of each row of records/ that are compared; blank ones are left out."""
    columns = [table[name].to_pylist() for name in COLUMNS[of]]
    return [tuple(text for cell in cells for text in _texts(cell)) for cells in zip(*columns, strict=True)]


def shingles(records: Iterable[Parts], n: int) -> Tokens:
    """Hashes of every record's shingles, repeated ones included. Only a record without any text has none."""
    prose, code = [], []
    for parts in records:
        words, tokens = _tokens(parts)
        prose.append(words)
        code.append(tokens)
    runs_of_code = ngrams(hash_tokens(code), CODE_SHINGLE)
    return _joined(ngrams(hash_tokens(prose), n), Tokens(mix(runs_of_code.hashes ^ _CODE), runs_of_code.offsets))


def exact_digest(parts: Parts) -> bytes:
    """16 bytes, equal for texts that differ only in case, white space, Unicode form or the marks of sentences.

    Zeros for a record without text: it repeats nobody.
    """
    forms = [_exact_form(text) for text in parts]
    if not any(forms):  # nothing but marks
        forms = [unicodedata.normalize("NFC", "".join(text.split())) for text in parts]
    if not any(forms):
        return bytes(16)
    return hashlib.blake2b("\0".join(forms).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def prose_tokens(text: str) -> list[str]:
    """Words and symbols. C++ and C# stay whole; a minus counts before a number only."""
    if not text.isascii():
        text = UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text).translate(_STRAIGHT))
    return _TOKEN.findall(text.casefold())


def unnamed(tokens: Sequence[str]) -> list[str]:
    """Code tokens with one name in place of all that the code itself introduces.

    Numbers by first use would change from the first place on where two programs differ. What is found is a guess, good
    for many languages: variables, parameters, functions and classes; what is called or queried from elsewhere stays.
    """
    found = _INTRODUCED.finditer(" " + " ".join(tokens))
    own = {name for match in found for name in _NAME.findall(match[match.lastindex or 0])}
    for at, token in enumerate(tokens):
        if token in _ASSIGNS:
            own |= _targets(tokens, at)
    own -= _KEYWORDS
    return ["v" if token in own else token for token in tokens]


def _targets(tokens: Sequence[str], at: int) -> set[str]:
    """The names right before an assignment, `a` and `b` of `a, b = ...`; none for an attribute."""
    names = set()
    for place in range(at - 1, max(-1, at - 12), -2):
        if not _NAME.fullmatch(tokens[place]) or tokens[place - 1 : place] == ["."]:
            break
        names.add(tokens[place])
        if tokens[place - 1 : place] != [","]:
            break
    return names


def _tokens(parts: Parts) -> tuple[list[str], list[str]]:
    """Of all parts: words of the prose, tokens of the code."""
    words: list[str] = []
    tokens: list[str] = []
    for text in parts:
        prose, code = _prose_and_code(text)
        words += prose_tokens(prose)
        if code:
            tokens += unnamed(code_tokens(code))
    if not words and not tokens:
        words = [character for text in parts for character in text if not character.isspace()]
    return words, tokens


def _prose_and_code(text: str) -> tuple[str, str]:
    """Fenced programs are code; without fences, the lines that look like code, and what is indented below them.

    What looks like prose stays prose, fenced or not: with its words taken for names, it would resemble any other.
    """
    prose, code = split_code(text)
    if code:
        return (prose, code) if looks_like_code(code) else (f"{prose}\n{code}", "")
    if not _MAY_BE_CODE.search(text):
        return text, ""
    sides: dict[bool, list[str]] = {False: [], True: []}
    in_code = False
    for line in text.splitlines():
        goes_on = in_code and line[:1].isspace()
        in_code = goes_on or (not _SENTENCE.match(line) and looks_like_code(line))
        sides[in_code].append(line)
    return "\n".join(sides[False]), "\n".join(sides[True])


def _exact_form(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_STRAIGHT)
    stripped = (word.lstrip(_QUOTES).rstrip(_SENTENCE_MARKS) for word in text.casefold().split())
    return " ".join(filter(None, stripped))


def _texts(cell: object) -> list[str]:
    """A text column's cell, or the turns of a context."""
    if isinstance(cell, list):
        return [turn["content"] for turn in cell if turn["content"].strip()]
    return [cell] if isinstance(cell, str) and cell.strip() else []


def _joined(first: Tokens, second: Tokens) -> Tokens:
    """Text n has the hashes that it has in the one, then those in the other."""
    offsets = first.offsets + second.offsets
    hashes = np.empty(int(offsets[-1]), np.uint64)
    for one, before in ((first, offsets[:-1]), (second, offsets[:-1] + first.lengths)):
        hashes[np.repeat(before - one.offsets[:-1], one.lengths) + np.arange(len(one.hashes))] = one.hashes
    return Tokens(hashes, offsets)
