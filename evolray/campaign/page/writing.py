"""A campaign's page, in its run directory, as often as it is written: while it runs and when it ended.

report.html     the page, with its figures in it; needs no network
report/*.png    the figures
"""

from typing import Any

import yaml

from evolray.campaign import manifest as manifests
from evolray.campaign.figures import figures
from evolray.campaign.page.content import make_content
from evolray.campaign.page.rendering import render
from evolray.campaign.steps import DEV, MIX, POOL, STUDENT, place
from evolray.pipeline.records import read_steps
from evolray.pool.layout import Folder
from evolray.pool.manifest import RUN
from evolray.pool.seed_formats import without_credentials
from evolray.report.drawing.style import to_png, to_svg
from evolray.report.page.blocks import Picture
from evolray.report.texts import visible

PAGE, FIGURES = "report.html", "report"


def write_page(folder: Folder) -> str:
    """Returns the page's path or URL. Raises UserError when there is no campaign."""
    manifest = manifests.find(folder)
    pictures = []
    for name, entry in figures(manifest).items():
        file = f"{FIGURES}/{name}.png"
        folder.write(file, to_png(entry.figure))
        svg = to_svg(entry.figure, name=name, alt=entry.alt)
        pictures.append(Picture(name, entry.title, entry.caption, svg, file))
    parts = [POOL, *(place(int(one["round"]), part) for one in manifest.rounds for part in (MIX, STUDENT, DEV))]
    pages = [f"{part}/{PAGE}" for part in parts if folder.exists(f"{part}/{PAGE}")]
    content = make_content(folder.url, manifest, read_steps(folder), pictures, pages, _settings(folder))
    folder.write(PAGE, render(content).encode())
    return f"{folder.url}/{PAGE}"


def _settings(folder: Folder) -> str:
    """run.yaml without credentials that a path may hold."""
    if not folder.exists(RUN):
        return ""
    try:
        described: dict[str, Any] = yaml.safe_load(folder.read(RUN))
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return visible(f"{RUN} cannot be read ({type(error).__name__})")
    return visible("\n".join(without_credentials(line) for line in text.splitlines()))
