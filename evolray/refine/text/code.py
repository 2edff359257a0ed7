"""Programs as they are compared: tokens without comments, white space and, if wanted, without the names their authors
chose.

One tokeniser for Python, JavaScript, Java, C, SQL and their like. It knows no grammar: where languages disagree, it
guesses (`//` divides in Python and begins a comment elsewhere). What matters is that two writings of one program end
up as the same tokens, and that no text, however hostile, costs more than time linear in its length.
"""

import re

_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
_CODE_LINE = re.compile(
    r"""\s*(?: (?:async\ )?def\ \w+\(.* | class\ \w+[^.!?]*$ | (?:import|from)\ [\w.]+(?:\ (?:as|import)\ [^.]+)?$
            | return\b[^.]*$ | (?:el)?if\b.*[:{]$ | else\s*[:{]$ | (?:for|while|try|with|except|switch|do)\b.*[:{]$
            | (?:export\ |async\ )*function\b.*\{.* | (?:public|private|protected|static)\ .*[{;]$ | \#include\b.*
            | (?:let|var|const|int|float|double|char|String|bool)\ [\w$]+.*=.*
            | SELECT\b.* | INSERT\ INTO\b.* | CREATE\ (?:TABLE|VIEW)\b.* | FROM\ \w+.* | </?\w+[^>]*>.*
            | [$\w.\[\]'"]+\s*[-+*/]?=(?!=)\s*\S.* | [$\w.]+\(.*\)[;:]?$
            | .*;$ | .*[{}\]]$ | \#\ .* | // .* | [})\]]+[;,]?
        )\s*""",
    re.VERBOSE,
)
_PYTHON = re.compile(r"^\s*(?:(?:async )?def|class|if|elif|for|while|with)\b[^\n;{]*:[ \t]*(?:#.*)?$", re.MULTILINE)
# Strings are bounded, so that a line of quotes alone is not searched for an end from each of them.
_QUOTED = r""" (?: "(?:\\.|[^"\\\n]){0,200}+" | '(?:\\.|[^'\\\n]){0,200}+' ) """
_LONG = r""" (?: \"{3}[\s\S]*?(?:\"{3}|\Z) | '{3}[\s\S]*?(?:'{3}|\Z) ) """
_STRINGS = rf"""(?P<long> (?:\b[rRbBuUfF]{{1,2}})? {_LONG} )
    | (?P<string> (?:\b[rRbBuUfF]{{1,2}}|(?<!\w)|(?<=\w)(?=")) {_QUOTED} | `[^`\n]{{0,200}}` )"""
_REST = r"""
    | (?P<name> \$?[^\W\d]\w* ) | \d[\w.]*
    | ===|!==|\*\*=|//=|>>=|<<=|&&|\|\||->|=>|:=|==|!=|<=|>=|\+\+|--|\+=|-=|\*=|/=|%=|\*\*|//|<<|>>|::
    | \S """
_PYTHON_TOKEN = re.compile(r"(?P<comment> \#[^\n]* ) |" + _STRINGS + _REST, re.VERBOSE)
_OTHER_TOKEN = re.compile(
    r"""(?P<comment> /\*[\s\S]*?(?:\*/|\Z) | <!--[\s\S]*?(?:-->|\Z) | (?<!:)//[^\n]*
        | (?:(?<=\s)|\A)--(?=\s)[^\n]* | (?:(?<=\s)|\A)\#(?=[\s\#!])[^\n]* ) |""" + _STRINGS + _REST,
    re.VERBOSE,
)  # fmt: skip
_NO_STATEMENT_ENDS = frozenset("( [ { , = + return".split())

_INTRODUCES = frozenset("def function class func fn interface struct enum let var const val as catch".split())
_OPENS_PARAMETERS = frozenset("def function func fn catch".split())
_FIXED = frozenset("self this cls super main NULL null None True False true false nil undefined".split())
_KEYWORDS = frozenset(
    """and or not in is if elif else for while do switch case default break continue return yield await async pass raise
    throw throws try except finally with as lambda del global nonlocal assert import from package using namespace new
    delete sizeof instanceof typeof extends implements def function class func fn interface struct enum let var const
    val public private protected static final abstract virtual override void int long short float double char bool
    boolean byte unsigned signed string String auto of then end begin print echo match where select
    """.split()
)
_TYPES = frozenset("void int long short float double char bool boolean byte unsigned signed string String auto".split())
_SQL = frozenset("SELECT INSERT UPDATE CREATE DELETE ALTER DROP WITH".split())
_ASSIGNS = frozenset("= := += -= *= /= %= //= **=".split())
_AFTER_DECLARED = frozenset("= ; , ) ( [ { :".split())
_AFTER_PARAMETER = frozenset("= , ) [ :".split())


def split_code(text: str, is_code: bool = False) -> tuple[str, str]:
    """What of a text is prose, and what is code: its fenced blocks; a fence that is left open lasts to the end.

    `is_code`: a text without fences is code as a whole.
    """
    if "```" not in text and "~~~" not in text:
        return ("", text) if is_code else (text, "")
    prose, code = [], []
    begin, opening = 0, ""
    for fence in _FENCE.finditer(text):
        mark = fence[1]
        if not opening:
            prose.append(text[begin : fence.start()])
            opening, begin = mark, fence.end()
        elif mark.startswith(opening) and fence[0].strip() == mark:
            code.append(text[begin : fence.start()])
            opening, begin = "", fence.end()
    (code if opening else prose).append(text[begin:])
    if not any(code):
        return ("", text) if is_code else (text, "")
    return "\n".join(prose).strip(), "\n".join(code).strip()


def looks_like_code(text: str) -> bool:
    """Whether at least half of the lines, those that end a sentence not counted, have the form of code."""
    lines = [line for line in text[:20_000].splitlines() if line.strip()]
    return bool(lines) and 2 * sum(_CODE_LINE.fullmatch(line[:300]) is not None for line in lines) >= len(lines)


def code_tokens(code: str) -> list[str]:
    """Names, numbers, operators and strings (each one token, in double quotes), without comments and docstrings."""
    pattern = _PYTHON_TOKEN if _PYTHON.search(code) else _OTHER_TOKEN
    tokens: list[str] = []
    for match in pattern.finditer(code):
        kind, token = match.lastgroup, match[0]
        if kind == "comment":
            continue
        if kind in ("long", "string"):
            if _stands_alone(code, match, tokens[-1] if tokens else "", is_long=kind == "long"):
                continue
            token = '"' + token.lstrip("rRbBuUfF").strip("\"'`").replace("\\'", "'").replace('\\"', '"') + '"'
        tokens.append(token)
    return tokens


def canonical(tokens: list[str]) -> list[str]:
    """The tokens with the names that the code itself defines (functions, parameters, variables) numbered by first use.

    Keywords, what is imported, called or an attribute stays, unless the code defines it. SQL defines nothing.
    """
    if tokens and tokens[0].upper() in _SQL:
        return tokens
    numbers: dict[str, str] = {}
    defined = _defined(tokens)
    return [numbers.setdefault(token, f"v{len(numbers) + 1}") if token in defined else token for token in tokens]


def _stands_alone(code: str, match: "re.Match[str]", before: str, is_long: bool) -> bool:
    """Whether a string is a statement by itself: a docstring."""
    if before in _NO_STATEMENT_ENDS or not (is_long or before == ":"):
        return False
    line_begin = code.rfind("\n", max(0, match.start() - 200), match.start()) + 1
    if match.start() - line_begin > 200 or code[line_begin : match.start()].strip():
        return False
    rest = code[match.end() : match.end() + 200].partition("\n")[0].strip()
    return not rest or rest.startswith("#")


def _defined(tokens: list[str]) -> set[str]:
    """Names that a program introduces. `opened` holds, for every bracket that is open, what stands in it."""
    found: set[str] = set()
    opened: list[str] = []
    in_target = in_lambda = False  # between `for` and `in`; between `lambda` and its colon
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else ""
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token in ("for", "in", "of") or (in_target and token in ("=", ":", ")", ";")):
            in_target = token == "for"
        if token == "lambda" or (in_lambda and token == ":"):
            in_lambda = token == "lambda"
        if token in "([{":
            opened.append(_what_opens(tokens, at))
        elif token in ")]}":
            if opened:
                opened.pop()
        elif token in _ASSIGNS:
            if (not opened or opened[-1] != "call") and not in_lambda:
                found.update(_targets(tokens, at))
        elif token == "=>":
            found.update(_arrow_parameters(tokens, at))
        elif _is_name(token) and before != ".":
            is_parameter = bool(opened) and opened[-1] == "parameters" and before not in (":", "=")
            is_bound = in_target or (in_lambda and before != "=") or before in _INTRODUCES
            if is_bound or (is_parameter and after in _AFTER_PARAMETER) or _is_declared(before, after):
                found.add(token)
    return {name for name in found if name not in _FIXED and not name.startswith("__")}


def _is_declared(before: str, after: str) -> bool:
    """Whether a name stands as in `int best = ...` or `String title(`: after a type."""
    return (before in _TYPES or _is_name(before)) and after in _AFTER_DECLARED


def _what_opens(tokens: list[str], at: int) -> str:
    """parameters of a function, a call (whose names before `=` are not assigned to), or other."""
    name, before = tokens[at - 1] if at else "", tokens[at - 2] if at > 1 else ""
    if tokens[at] != "(":
        return "other"
    if name in _OPENS_PARAMETERS or before in _OPENS_PARAMETERS or (_is_name(name) and _is_declared(before, "(")):
        return "parameters"
    return "call" if _is_name(name) or name in ("]", ")") else "other"


def _arrow_parameters(tokens: list[str], at: int) -> list[str]:
    """The names before `=>`: `x => ...` and `(x, y) => ...`."""
    if at and tokens[at - 1] != ")":
        return [tokens[at - 1]] if _is_name(tokens[at - 1]) else []
    head = tokens[max(0, at - 20) : at]
    return [token for token in head[len(head) - head[::-1].index("(") :] if _is_name(token)] if "(" in head else []


def _targets(tokens: list[str], at: int) -> list[str]:
    """The names before an assignment: `a, b` of `a, b = ...`, and `name` of `self.name = ...`."""
    names: list[str] = []
    place = at - 1
    while place >= 0 and _is_name(tokens[place]):
        if place and tokens[place - 1] == "." and (place < 2 or tokens[place - 2] not in ("self", "this")):
            break
        names.append(tokens[place])
        if place < 2 or tokens[place - 1] != ",":
            break
        place -= 2
    return names


def _is_name(token: str) -> bool:
    return token not in _KEYWORDS and (token[:1].isalpha() or token[:1] in ("_", "$")) and not token.startswith('"')
