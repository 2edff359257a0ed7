"""The page about a run, whatever stages it is made of."""

from importlib import import_module

from evolray.config import ReportConfig
from evolray.errors import UserError
from evolray.pool.layout import open_folder
from evolray.pool.manifest import stage_of
from evolray.report import stage as reporting

WITH_A_PAGE = ("campaign", "ablation")
"""Runs of several stages, which write their page themselves while they run and when they end."""


def write_page(config: ReportConfig) -> str:
    """Returns the page's path or URL. Raises UserError when there is nothing to report."""
    folder = open_folder(config.run)
    stage = stage_of(folder)
    if stage not in WITH_A_PAGE:
        return reporting.report(config)
    if config.output is not None:
        raise UserError(f"output={config.output}: the page of a run of {stage} is report.html in its run directory.")
    written: str = import_module(f"evolray.{stage}.page.writing").write_page(folder)
    return written
