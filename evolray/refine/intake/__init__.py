"""What is refined: runs and files as shards of records."""
