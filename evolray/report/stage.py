"""`evolray report`: a run directory in, one HTML page and its figures out."""

import logging
from typing import Any

import yaml

from evolray.config import ReportConfig
from evolray.display import Display
from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.pool.manifest import MANIFEST, RUN
from evolray.pool.seed_formats import without_credentials
from evolray.pool.shards import POOL
from evolray.report.drawing.style import to_png, to_svg
from evolray.report.figures import figures
from evolray.report.numbers.evolved import read_evolved, read_json, stage_of
from evolray.report.page import about_evolve, about_refine, browser
from evolray.report.page.blocks import Content, Picture, Section
from evolray.report.page.composition import Composition
from evolray.report.page.examples import Examples
from evolray.report.page.lineages import Sample
from evolray.report.page.outcomes import Stage, read_shards
from evolray.report.page.rendering import render
from evolray.report.texts import visible

logger = logging.getLogger("evolray")

LOG_SECONDS = 10.0
PAGE, FIGURES = "report.html", "report"
# Text shrinks to half or a third in the page, gzip and base64 together; what surely does not fit is not kept in memory.
CHARS_PER_BYTE = 5


def report(config: ReportConfig) -> str:
    """Write the page, its figures beside it, and return the page's path or URL.

    Raises UserError when there is no finished shard of a run of evolve or refine, or when max_mb has no room for the
    page without any lineage.
    """
    _check(config)
    folder = open_folder(config.run)
    stage: Stage = "refine" if stage_of(config.run) == "refine" else "evolve"
    if not shards_in(folder, POOL):
        raise UserError(f"{folder.url}: no shard is finished yet; there is nothing to report.")
    target, name, pictures_folder = _target(config, folder)
    most_bytes = config.max_mb * 1e6
    sample = Sample(config.seed, int(most_bytes * CHARS_PER_BYTE))
    content = _read(config, folder, stage, sample)
    content.put(_draw(config.run, target, pictures_folder))
    show = f"evolray show {folder.url} --root ID" if stage == "evolve" else ""
    empty = browser.pack([], sample.seen(), 0.0)
    room = most_bytes - len(render(content, empty, show).encode())
    if room < 0:
        raise UserError(
            f"max_mb={config.max_mb:g}: without any lineage the page has {(most_bytes - room) / 1e6:.1f} MB; "
            "give it more, or take fewer examples."
        )
    packed = browser.pack(sample.lineages(), sample.seen(), room)
    html = render(content, packed, show).encode()
    target.write(name, html)
    path = f"{target.url}/{name}"
    logger.info(
        f"{path}: {len(html) / 1e6:.1f} MB, {packed.lineages:,} of {packed.seen:,} lineages, "
        f"{sum(len(section.pictures) for section in content.sections)} figures"
    )
    return path


def _check(config: ReportConfig) -> None:
    if not config.max_mb > 0:
        raise UserError(f"max_mb is {config.max_mb:g}; expected a size in MB above 0.")
    if config.examples < 0:
        raise UserError(f"examples is {config.examples}; expected 0 or more.")
    if config.output is not None and not config.output.strip().endswith((".html", ".htm")):
        raise UserError(f"output is {config.output!r}; expected the name of an .html file.")


def _target(config: ReportConfig, run: Folder) -> tuple[Folder, str, str]:
    """Where the page goes: folder, its name there, and the name of the folder of its figures."""
    if config.output is None:
        return run, PAGE, FIGURES
    where, _, name = config.output.strip().rpartition("/")
    root = "/" if config.output.startswith("/") else "."
    return open_folder(where or root), name, name.rpartition(".")[0]


def _read(config: ReportConfig, folder: Folder, stage: Stage, sample: Sample) -> Content:
    """Everything but the figures, in one pass over the shards."""
    examples, composition = Examples(config.seed, config.examples), Composition()
    shards = shards_in(folder, POOL)
    with Display(LOG_SECONDS, None) as display:
        for done, shard in enumerate(read_shards(folder, stage), start=1):
            sample.add(shard)
            examples.add(shard)
            if stage == "refine":
                composition.add(shard)
            line = f"report: {done:,} of {len(shards):,} shards read"
            display.display(lambda line=line: line, lambda line=line: line)  # type: ignore[misc]
    manifest = read_json(folder, MANIFEST)
    if stage == "refine":
        content = about_refine.content(folder, manifest, composition, examples)
    else:
        content = about_evolve.content(read_evolved(config.run), manifest, examples, sample.seen())
    content.title = visible(folder.url.rstrip("/").rpartition("/")[2])
    content.sections.append(Section("lineages", "Lineages", "Lineages", has_browser=True))
    content.settings = _settings(folder)
    return content


def _draw(run: str, target: Folder, pictures_folder: str) -> list[Picture]:
    pictures = []
    for name, entry in figures(run).items():
        file = f"{pictures_folder}/{name}.png"
        target.write(file, to_png(entry.figure))
        svg = to_svg(entry.figure, name=name, alt=entry.alt)
        pictures.append(Picture(name, entry.title, entry.caption, svg, file))
    return pictures


def _settings(folder: Folder) -> str:
    """run.yaml without credentials that a path may hold."""
    try:
        described: dict[str, Any] = yaml.safe_load(folder.read(RUN))
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return visible(f"{RUN} cannot be read ({type(error).__name__})")
    return visible("\n".join(without_credentials(line) for line in text.splitlines()))
