"""How a page becomes one HTML file: its assets, its templates, and the policy that it lays down for itself.

A page forbids itself the network, and every script and style but its own (a content security policy with their
hashes). Whatever a template is given is escaped.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import jinja2

from evolray.report.texts import visible

PAGES = "evolray.report.page"
"""The package whose templates and styles other pages build on."""


@cache
def asset(name: str, package: str = PAGES) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def templates(*packages: str) -> jinja2.Environment:
    """Of a template with the same name in two of the packages, that of the first is taken."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FunctionLoader(_source(package)) for package in packages]), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["visible"] = visible
    return environment


def policy(script: str, style: str) -> str:
    """What a browser may do for the page: run this script and use this style."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(package: str) -> Callable[[str], str | None]:
    def find(name: str) -> str | None:
        try:
            return asset(name, package)
        except FileNotFoundError:
            return None

    return find


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
