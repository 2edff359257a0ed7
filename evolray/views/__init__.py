"""What the commands print: one file per stage, `status` for a run of whatever stage."""
