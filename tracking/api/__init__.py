"""REST API of the tracking app."""
