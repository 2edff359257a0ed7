"""A campaign's content as one HTML file that needs nothing else; it builds on the report's pages."""

from functools import cache

import jinja2

from evolray.campaign.page.content import Content
from evolray.report.page.document import PAGES, asset, policy, templates

HERE = "evolray.campaign.page"
TEMPLATE = "campaign.html.jinja"


def render(content: Content) -> str:
    """It has no script; its policy allows none."""
    style = asset("page.css")
    html: str = _template().render(page=content, policy=policy("", style), style=style)
    return html


@cache
def _template() -> jinja2.Template:
    return templates(HERE, PAGES).get_template(TEMPLATE)
