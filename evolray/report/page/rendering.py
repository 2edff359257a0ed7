"""A page's content, its style and its script as one HTML file that needs nothing else.

All texts are escaped by the template; those of the lineage browser are compressed data until they are shown.
"""

from functools import cache

import jinja2

from evolray.report.page.blocks import Content
from evolray.report.page.browser import Packed
from evolray.report.page.document import PAGES, asset, policy, templates
from evolray.report.texts import cut

EXCERPT_CHARS = 700  # of a text in an example; the lineage browser has more of it
TEMPLATE, STYLE, SCRIPT = "page.html.jinja", "page.css", "page.js"


def render(content: Content, packed: Packed, show_command: str) -> str:
    """The page. `show_command`: how a lineage that is not in it is seen, `evolray show runs/a --root ID`; or ""."""
    style, script = asset(STYLE), asset(SCRIPT)
    html: str = _template().render(
        page=content, packed=packed, pieces=(packed.index, *packed.chunks), policy=policy(script, style), style=style,
        script=script, show_command=show_command,
        sections=[section for section in content.sections if not section.is_empty],
    )  # fmt: skip
    return html


@cache
def _template() -> jinja2.Template:
    environment = templates(PAGES)
    environment.filters["excerpt"] = lambda text: cut(text, EXCERPT_CHARS)
    return environment.get_template(TEMPLATE)
