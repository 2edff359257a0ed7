"""What the stages left on disk, as figures and as one HTML page per run directory."""

from evolray.calling import calls_function

calls_function(__name__)
