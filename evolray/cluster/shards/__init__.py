"""What the stages have in common that let Ray Data actors work through the shards of a run directory."""
