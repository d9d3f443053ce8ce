"""The demo account: a flower shop's four weeks, sent for real through carriersim and moved back.

Only for `make run` and tests. Nothing is made up: every row comes from the services, the worker,
the edge and carriersim; `backdate` then moves the times of what has happened.
"""
