"""Whoever answers the method's questions: an endpoint, the offline teacher, a script."""
