"""Entry points of the servers in `bench.edge_apps`, which need Django set up first."""

import django
from django.utils.module_loading import import_string

django.setup()

verify_only = import_string("bench.edge_apps.verify_only")
redirect_only = import_string("bench.edge_apps.redirect_only")
django_wsgi = import_string("bench.edge_apps.django_wsgi")
