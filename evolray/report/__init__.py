"""What the stages left on disk, as figures and as one HTML page per run directory."""
