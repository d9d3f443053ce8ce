"""`python -m bench.run import_worker <import>`: in a process of its own; prints its peak MB."""

import resource

from contacts.services import import_run


def main(pk: str) -> None:
    """Run the import."""
    import_run(int(pk))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
