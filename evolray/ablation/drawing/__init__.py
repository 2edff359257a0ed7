"""The figures of an ablation, one per file."""
