"""What the settings of a step name, as its job finds it, which works in another directory than the one the command was
given in.

What is there becomes an absolute path. URLs, hf:NAME and names on the Hub stay as they are, and so does a relative path
that lies in `jobs.working_dir` (here `base`): the job finds it below its own.
"""

from pathlib import Path
from typing import Any

import yaml

from evolray.errors import UserError
from evolray.pool.seed_formats import without_credentials

SCRATCH = "scratch"


def file_place(setting: str, given: str, base: str | None = None) -> str:
    """Raises UserError when there is no such file."""
    if _stays(given, base):
        return given
    path = Path(given).expanduser()
    if not path.exists():
        raise UserError(
            f"{setting}={without_credentials(given)}: no such file. Expected a path, s3://BUCKET/FILE or hf:NAME."
        )
    return str(path.absolute())


def model_place(given: str, base: str | None = None) -> str:
    """A model folder, RUN or RUN:STEP; what is no path here is a name on the Hub."""
    run, colon, step = given.rpartition(":")
    folder, behind = (run, f":{step}") if colon and step.isdigit() else (given, "")
    if given == SCRATCH or _stays(folder, base):
        return given
    path = Path(folder).expanduser()
    return f"{path.absolute()}{behind}" if path.exists() else given


def deepspeed_settings(setting: str, given: Any) -> Any:
    """The content of a file of them, so that it need not be where the job runs. Raises UserError."""
    if not isinstance(given, str):
        return given
    try:
        return yaml.safe_load(Path(given).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = str(error).splitlines()[0]
        raise UserError(f"{setting}={given}: cannot be read ({why}); expected a YAML file.") from None


def shown(value: Any) -> Any:
    """Settings as files and pages may show them: URLs without credentials, and without a query, which may hold some."""
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shown(one) for one in value]
    return without_credentials(value).partition("?")[0] if isinstance(value, str) and "://" in value else value


def _stays(given: str, base: str | None) -> bool:
    if "://" in given or given.startswith("hf:"):
        return True
    path = Path(given).expanduser()
    return (
        bool(base) and not path.is_absolute() and ("://" in str(base) or (Path(str(base)).expanduser() / path).exists())
    )
