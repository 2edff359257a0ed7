"""What all stages need of Ray: a cluster to run on, and a process that can be interrupted."""
