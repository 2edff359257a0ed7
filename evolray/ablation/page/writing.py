"""From what an ablation left on disk to its page: report.html, with the figures as PNG in figures/ beside it."""

from functools import cache
from urllib.parse import quote

import jinja2
import yaml

from evolray.ablation import manifest as manifests
from evolray.ablation import names
from evolray.ablation.figures import figures
from evolray.ablation.page.content import Content, Link, make_content
from evolray.ablation.page.samples import choose
from evolray.ablation.results import PAGE, make
from evolray.errors import UserError
from evolray.pipeline.records import read_steps
from evolray.pool.layout import Folder
from evolray.pool.manifest import RUN
from evolray.report.drawing.style import to_png, to_svg
from evolray.report.page.blocks import Picture
from evolray.report.page.document import PAGES, asset, policy, templates

HERE = "evolray.ablation.page"
TEMPLATE, STYLE = "ablation.html.jinja", "ablation.css"
FIGURES = "figures"


def write_page(folder: Folder) -> str:
    """Write the page of the ablation in `folder`, as far as that has come; returns its path.

    Raises UserError when there is no ablation.
    """
    manifest = manifests.read(folder)
    if manifest is None:
        raise UserError(f"{folder.url}: there is no ablation; expected the run directory of evolray ablation.")
    done = make(folder, manifest)
    steps = [(name, one.stage) for name, one in read_steps(folder).items() if one.attempts]
    content = make_content(
        done, manifest, _draw(folder), choose(folder, done.students), _links(folder, manifest.generations), steps,
        _settings(folder),
    )  # fmt: skip
    folder.write(PAGE, render(content).encode())
    return f"{folder.url.rstrip('/')}/{PAGE}"


def render(content: Content) -> str:
    style = asset("page.css") + asset(STYLE, HERE)
    html: str = _template().render(page=content, policy=policy("", style), style=style)
    return html


def _draw(folder: Folder) -> list[Picture]:
    manifest = manifests.read(folder)
    assert manifest
    pictures = []
    for name, entry in figures(make(folder, manifest)).items():
        file = f"{FIGURES}/{name}.png"
        folder.write(file, to_png(entry.figure))
        svg = to_svg(entry.figure, name=name, alt=entry.alt)
        pictures.append(Picture(name, entry.title, entry.caption, svg, file))
    return pictures


def _links(folder: Folder, generations: list[int]) -> list[Link]:
    """Pages and tables of the stages, where they are there."""
    found = [("the pool's report", f"{names.POOL}/{PAGE}")]
    for one in generations:
        mix = names.mix_folder(one)
        found += [
            (f"the mix's report, {names.title(one)}", f"{mix}/{PAGE}"),
            (f"the mix's card, {names.title(one)}", f"{mix}/card.md"),
        ]
    found += [("the sweep's table", f"{names.SWEEP}/table.csv"), ("the sweep's figure", f"{names.SWEEP}/figure.png")]
    return [Link(text, quote(place)) for text, place in found if folder.exists(place)]


def _settings(folder: Folder) -> str:
    """run.yaml as it is: it holds no credentials."""
    if not folder.exists(RUN):
        return ""
    described = yaml.safe_load(folder.read(RUN))
    return str(yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100))


@cache
def _template() -> jinja2.Template:
    return templates(HERE, PAGES).get_template(TEMPLATE)
