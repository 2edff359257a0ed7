"""Made-up rows in the data formats that complicate_input asks for: XML, SQL, Python, HTML, shell, JSON."""

import json
from collections.abc import Callable, Mapping

from evolray.teachers.simulated.draw import Chance
from evolray.teachers.simulated.phrases import SLOTS

_Rows = list[tuple[int, str, int]]


def data_block(wanted: str, chance: Chance) -> str:
    """A few made-up rows in the format that was asked for; JSON for a format that is not known."""
    item = chance.one_of(SLOTS["item"])
    rows = [
        (17 + i * (1 + chance.below(9)), chance.one_of(SLOTS["name"]), chance.below(95) + 3)
        for i in range(2 + chance.below(3))
    ]
    return next((build for word, build in _BUILDERS.items() if word in wanted), _json)(item, rows)


def _xml(item: str, rows: _Rows) -> str:
    inner = "\n".join(f'  <entry id="{i}" owner="{owner}" count="{count}"/>' for i, owner, count in rows)
    return f"<{item}>\n{inner}\n</{item}>"


def _sql(item: str, rows: _Rows) -> str:
    values = ", ".join(f"({i}, '{owner}', {count})" for i, owner, count in rows)
    return f"CREATE TABLE {item} (id INTEGER, owner TEXT, amount INTEGER);\nINSERT INTO {item} VALUES {values};"


def _python(item: str, rows: _Rows) -> str:
    data = {f"{owner}-{i}": count for i, owner, count in rows}
    return f"{item} = {data}\n\ndef most_{item}():\n    return max({item}, key=lambda owner: {item}[owner])"


def _html(item: str, rows: _Rows) -> str:
    inner = "\n".join(f"  <tr><td>{i}</td><td>{owner}</td><td>{count}</td></tr>" for i, owner, count in rows)
    return f"<html><body>\n<h1>{item}</h1>\n<table>\n{inner}\n</table>\n</body></html>"


def _shell(item: str, rows: _Rows) -> str:
    number, owner, count = rows[0]
    return f'find /srv/{item} -name "{owner}*.log" -size +{count}k | sort -r | head -n {number}'


def _json(item: str, rows: _Rows) -> str:
    return json.dumps({item: [{"id": i, "owner": owner, "count": count} for i, owner, count in rows]})


_BUILDERS: Mapping[str, Callable[[str, _Rows], str]] = {
    "XML": _xml, "SQL": _sql, "Python": _python, "HTML": _html, "shell": _shell, "JSON": _json,
}  # fmt: skip
