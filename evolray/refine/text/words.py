"""Words of a text, so normalised that case, punctuation, white space and Unicode forms make no difference."""

import re
import unicodedata

# Scripts that are written without spaces: each character is a word.
UNSPACED = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f])")
WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, case-folded, in NFKC."""
    if not text.isascii():
        text = UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text))
    return WORD.findall(text.casefold())
