"""The papers' method, readable in ten minutes: operators rewrite, rules eliminate, a lineage evolves.

Standard library only. Nothing here knows about clusters, endpoints or files other than its own prompts.
"""
