"""Addresses of the messaging app below /settings/: credits, hours, opt-outs, numbers, joining."""

from django.urls import path

from messaging.views import credits, drift, hours, joining, numbers

urlpatterns = [
    path("credits/", credits.credits, name="credits"),
    path("credits/movements/", credits.credit_movements, name="credit_movements"),
    path("credits/movements.csv", credits.credit_export, name="credit_export"),
    path("hours/", hours.allowed_hours, name="allowed_hours"),
    path("opt-outs/", drift.opt_out_drift, name="opt_out_drift"),
    path("opt-outs/check/", drift.opt_out_check, name="opt_out_check"),
    path("opt-outs/take/", drift.opt_out_take_all, name="opt_out_take_all"),
    path("opt-outs/<int:pk>/take/", drift.opt_out_take, name="opt_out_take"),
    path("numbers/", numbers.numbers, name="numbers"),
    path("numbers/practice/", numbers.number_practice, name="number_practice"),
    path("numbers/add/", numbers.number_add, name="number_add"),
    path("numbers/<int:sender_id>/", numbers.number_edit, name="number_edit"),
    path("numbers/<int:sender_id>/default/", numbers.number_default, name="number_default"),
    path("numbers/<int:sender_id>/release/", numbers.number_release, name="number_release"),
    path("joining/", joining.joining, name="joining"),
    path("joining/form/", joining.joining_form, name="joining_form"),
    path("joining/qr.svg", joining.joining_qr, name="joining_qr"),
    path("joining/words/new/", joining.keyword_add, name="keyword_add"),
    path("joining/words/<int:pk>/", joining.keyword_edit, name="keyword_edit"),
    path("joining/words/<int:pk>/delete/", joining.keyword_delete, name="keyword_delete"),
    path("carriers/add/", numbers.carrier_add, name="carrier_add"),
    path("carriers/<int:carrier_account_id>/", numbers.carrier_edit, name="carrier_edit"),
    path("numbers/verify/", numbers.verify_request, name="verify_request"),
    path("numbers/verify/<int:number_id>/", numbers.verify_confirm, name="verify_confirm"),
    path("numbers/verify/<int:number_id>/remove/", numbers.verify_remove, name="verify_remove"),
]
