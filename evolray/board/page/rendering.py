"""A leaderboard's content as one HTML file that needs nothing else; it builds on the report's pages."""

from functools import cache

import jinja2

from evolray.board.page.content import Content
from evolray.report.page.document import PAGES, asset, policy, templates

HERE = "evolray.board.page"
TEMPLATE, STYLE, SCRIPT = "board.html.jinja", "board.css", "board.js"


def render(content: Content) -> str:
    style, script = asset("page.css") + asset(STYLE, HERE), asset(SCRIPT, HERE)
    html: str = _template().render(page=content, policy=policy(script, style), style=style, script=script)
    return html


@cache
def _template() -> jinja2.Template:
    return templates(HERE, PAGES).get_template(TEMPLATE)
