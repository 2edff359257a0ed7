"""What lies on disk between the stages: seeds in; shards, ledger and manifest out."""
