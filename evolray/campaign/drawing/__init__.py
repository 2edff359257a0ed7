"""How the figures of a campaign are drawn, from what its manifest says."""
