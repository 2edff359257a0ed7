"""The page of a campaign: its rounds and their scores, where it stands, and what it cost."""

from evolray.campaign.page.writing import write_page

__all__ = ["write_page"]
