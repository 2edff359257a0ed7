"""A rater's sheet as one HTML file."""
