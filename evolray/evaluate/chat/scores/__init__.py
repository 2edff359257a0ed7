"""From verdicts to scores, protocol by protocol; and how far a judge can be relied on."""
