"""Questions of the contacts app to the apps above it, asked inside the transaction."""

from django.dispatch import Signal

# An import is being undone; kwargs: account (Account), since (datetime). A receiver returns a
# queryset of the phones, as `values("phone")`, that something of its own happened to since then:
# those people are left alone. It is compiled into SQL, not loaded.
phones_in_use = Signal()
