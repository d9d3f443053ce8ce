"""How programs get into the REST API."""
