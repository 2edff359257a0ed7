"""A sheet as one HTML file that a rater opens from a folder; it needs no network and no server.

The file forbids itself the network, and every script and style but its own two (a content security policy with their
hashes). Instructions and answers are data until the script shows them, as text and never as markup.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from evolray.blind.arrangement import Place, Sheet
from evolray.blind.sheets import BEST, WORST
from evolray.report.texts import visible

TEMPLATE, STYLE, SCRIPT = "sheet.html.jinja", "sheet.css", "sheet.js"


def render(sheet: Sheet, criteria: Sequence[str]) -> bytes:
    style, script = _asset(STYLE), _asset(SCRIPT)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    html = _template().render(
        rater=sheet.rater, letters=sheet.letters, criteria=criteria, best=BEST, worst=WORST,
        policy=policy, style=style, script=script, data=_data(sheet, criteria),
    )  # fmt: skip
    return html.encode()


def _data(sheet: Sheet, criteria: Sequence[str]) -> str:
    """As JSON that holds no markup: `<` is written as its code, so that no text can end the element it stands in."""
    content = {
        "sheet": sheet.id, "rater": sheet.rater, "letters": list(sheet.letters), "criteria": list(criteria),
        "worst": WORST, "best": BEST, "items": [_item(place) for place in sheet.places],
    }  # fmt: skip
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _item(place: Place) -> dict[str, Any]:
    answers = {letter: [visible(text) for text in texts] for letter, texts in place.answers()}
    return {"item": place.number, "turns": [visible(text) for text in place.item.turns], "answers": answers}


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(TEMPLATE)


@cache
def _asset(name: str) -> str:
    return files("evolray.blind.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
