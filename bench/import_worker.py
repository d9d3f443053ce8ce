"""`python -m bench.import_worker <import>`: run it in a process of its own; prints its peak MB."""

import os
import resource
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsplatform.settings")
django.setup()

from contacts.services import import_run  # noqa: E402

if __name__ == "__main__":
    import_run(int(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
