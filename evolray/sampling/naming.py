"""What a setting is called in an error where a config is a section of another: `judge.endpoint.model`, not `model`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from evolray.errors import UserError

SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)*=")


@contextmanager
def named_in(section: str) -> Iterator[None]:
    """A UserError that begins with a setting, as in "model=x: ...", gets the section ("judge.") before it."""
    try:
        yield
    except UserError as error:
        if not section or not SETTING.match(str(error)):
            raise
        raise UserError(f"{section}{error}") from error.__cause__
