"""What a judge says of records: difficulty and skills."""
