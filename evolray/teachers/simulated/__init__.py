"""The offline teacher: answers by rule, in process (`SimulatedTeacher`) or as a server (`server.py`)."""

from evolray.teachers.simulated.teacher import MODEL, SimulatedTeacher

__all__ = ["MODEL", "SimulatedTeacher"]
