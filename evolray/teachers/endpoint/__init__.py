"""Any OpenAI-compatible endpoint as a teacher."""

from evolray.teachers.endpoint.availability import preflight
from evolray.teachers.endpoint.settings import Endpoint
from evolray.teachers.endpoint.teacher import EndpointTeacher

__all__ = ["Endpoint", "EndpointTeacher", "preflight"]
