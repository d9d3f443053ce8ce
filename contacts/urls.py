"""Dashboard addresses of the contacts app."""

from django.urls import path

from contacts.views import erasing, groups, imports, people, proof, reviews, smart

urlpatterns = [
    path("", people.contact_list, name="contact_list"),
    path("people.csv", people.contact_export, name="contact_export"),
    path("group", people.contact_group, name="contact_group"),
    path("new/", people.contact_create, name="contact_create"),
    path("<int:pk>/", people.contact_detail, name="contact_detail"),
    path("<int:pk>/edit/", people.contact_edit, name="contact_edit"),
    path("<int:pk>/delete/", people.contact_delete, name="contact_delete"),
    path("<int:pk>/erase/", erasing.contact_erase, name="contact_erase"),
    path("<int:pk>/consent/", proof.contact_proof_page, name="contact_proof_page"),
    path("<int:pk>/consent.csv", proof.contact_proof, name="contact_proof"),
    path("<int:pk>/opt-out/", people.contact_opt_out, name="contact_opt_out"),
    path("<int:pk>/opt-in/", people.contact_opt_in, name="contact_opt_in"),
    path("groups/", groups.group_list, name="group_list"),
    path("groups/new/", groups.group_create, name="group_create"),
    path("groups/smart/", smart.group_smart, name="group_smart"),
    path("groups/<int:pk>/rules/", smart.group_rules, name="group_rules"),
    path("groups/<int:pk>/", groups.group_detail, name="group_detail"),
    path("groups/<int:pk>/rename/", groups.group_rename, name="group_rename"),
    path("groups/<int:pk>/delete/", groups.group_delete, name="group_delete"),
    path("groups/<int:pk>/remove/<int:contact_pk>/", groups.group_remove, name="group_remove"),
    path("reviews/", reviews.review_list, name="review_list"),
    path("reviews/<int:pk>/keep/", reviews.review_keep, name="review_keep"),
    path("reviews/<int:pk>/undo/", reviews.review_undo, name="review_undo"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_create, name="import_create"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/reread/", imports.import_reread, name="import_reread"),
    path("imports/<int:pk>/start/", imports.import_start, name="import_start"),
    path("imports/<int:pk>/confirm/", imports.import_confirm, name="import_confirm"),
    path("imports/<int:pk>/reopen/", imports.import_reopen, name="import_reopen"),
    path("imports/<int:pk>/undo/", imports.import_undo, name="import_undo"),
    path("imports/<int:pk>/cancel/", imports.import_cancel, name="import_cancel"),
    path("imports/<int:pk>/refused.csv", imports.import_refusals, name="import_refusals"),
]
