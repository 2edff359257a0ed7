"""A page's content, its style and its script as one HTML file that needs nothing else.

The file forbids itself the network, and every script and style but its own two (a content security policy with their
hashes). All texts are escaped by the template; those of the lineage browser are compressed data until they are shown.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files

import jinja2

from evolray.report.page.blocks import Content
from evolray.report.page.browser import Packed
from evolray.report.texts import cut, visible

EXCERPT_CHARS = 700  # of a text in an example; the lineage browser has more of it
TEMPLATE, STYLE, SCRIPT = "page.html.jinja", "page.css", "page.js"


def render(content: Content, packed: Packed, show_command: str) -> str:
    """The page. `show_command`: how a lineage that is not in it is seen, `evolray show runs/a --root ID`; or ""."""
    style, script = _asset(STYLE), _asset(SCRIPT)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    html: str = _template().render(
        page=content, packed=packed, pieces=(packed.index, *packed.chunks), policy=policy, style=style, script=script,
        show_command=show_command, sections=[section for section in content.sections if not section.is_empty],
    )  # fmt: skip
    return html


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["excerpt"] = lambda text: cut(text, EXCERPT_CHARS)
    environment.filters["visible"] = visible
    return environment.get_template(TEMPLATE)


@cache
def _asset(name: str) -> str:
    return files("evolray.report.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
