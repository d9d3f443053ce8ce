"""What `make run` and `make test` need beside the platform itself; never imported in production.

Owns the embedded PostgreSQL and Redis, generated secrets, front-end files and the processes of one
machine. It runs before Django is set up and imports none of the apps.
"""
