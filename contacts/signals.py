"""Questions of the contacts app to the apps above it, asked inside the transaction."""

from django.dispatch import Signal

# An import is being undone; kwargs: account (Account), since (datetime). A receiver returns a
# queryset of the phones, as `values("phone")`, that something of its own happened to since then:
# those people are left alone. It is compiled into SQL, not loaded.
phones_in_use = Signal()

# A person is being erased; kwargs: account (Account), phone (E.164), alias (what stands for it from
# now on). Every app above that wrote down the phone or anything of the person removes it in this
# transaction, or raises `contacts.errors.ErasureWaits`: the law asks for it, so nothing that fails
# is passed over.
person_erased = Signal()

# Two contacts are one person (merged, or given another number); kwargs: account (Account), kept,
# gone (Contact). What belongs to `gone` belongs to `kept` from now on; numbers stay what they were.
contacts_merged = Signal()
