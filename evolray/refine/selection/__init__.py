"""Which of the records that are still in make the mix."""
