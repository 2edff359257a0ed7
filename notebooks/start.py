"""What every notebook begins with: the repository as its working directory, and one Ray for all of its stages."""

import logging
import os
import warnings
from pathlib import Path


def in_repository() -> None:
    """Paths in the notebooks are relative to the repository, wherever Jupyter was started."""
    here = Path(__file__).resolve().parent
    os.chdir(next(folder for folder in here.parents if (folder / "conf" / "demo").is_dir()))
    # Ray and tqdm ask for ipywidgets, which nothing here needs.
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="IProgress not found")


def one_ray() -> None:
    """Every stage would start a Ray, and end it with itself; a notebook of several stages saves that time.

    RAY_ADDRESS names another one to connect to.
    """
    import ray

    from evolray.cluster.on_ray import QUIET_LOGGERS, RAY_SETTINGS

    for name, level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "local")
        ray.init(address, include_dashboard=False, logging_level=logging.WARNING, log_to_driver=False)
