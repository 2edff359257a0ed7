"""The page of a campaign: its rounds and their scores, where it stands, and what it cost."""
