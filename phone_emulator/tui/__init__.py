"""The terminal phone."""

from .app import PhoneApp
from .lab_control import LabControl, ServerView
from .lab_panel import LabPanel

__all__ = ["LabControl", "LabPanel", "PhoneApp", "ServerView"]
