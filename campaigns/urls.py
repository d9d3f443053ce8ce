"""Dashboard addresses of the campaigns app."""

from django.urls import path

from campaigns.views import campaigns, composer, costs, overview, people, reports, texts

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("campaigns/", campaigns.campaign_list, name="campaign_list"),
    path("campaigns/new", campaigns.campaign_create, name="campaign_create"),
    path("campaigns/<int:pk>/", campaigns.campaign_report, name="campaign_report"),
    path("campaigns/<int:pk>/people", people.campaign_people, name="campaign_people"),
    path("campaigns/<int:pk>/group", people.campaign_group, name="campaign_group"),
    path("campaigns/<int:pk>/people.csv", people.campaign_export, name="campaign_export"),
    path("campaigns/<int:pk>/edit", campaigns.campaign_edit, name="campaign_edit"),
    path("campaigns/<int:pk>/archive", campaigns.campaign_archive, name="campaign_archive"),
    path("templates/", texts.text_list, name="text_list"),
    path("templates/new", texts.text_create, name="text_create"),
    path("templates/<int:pk>/edit", texts.text_edit, name="text_edit"),
    path("templates/<int:pk>/approve", texts.text_approve, name="text_approve"),
    path("templates/<int:pk>/delete", texts.text_delete, name="text_delete"),
    path("costs/", costs.cost_report, name="cost_report"),
    path("blasts/new", composer.blast_create, name="blast_create"),
    path("blasts/count", composer.blast_count, name="blast_count"),
    path("blasts/test", composer.blast_test, name="blast_test"),
    path("blasts/batch/<int:batch_pk>/", reports.batch_report, name="batch_report"),
    path("blasts/<int:pk>/", reports.blast_report, name="blast_report"),
    path("blasts/<int:pk>/edit", composer.blast_edit, name="blast_edit"),
    path("blasts/<int:pk>/send", composer.blast_send, name="blast_send"),
    path("blasts/<int:pk>/again", composer.blast_duplicate, name="blast_duplicate"),
    path("blasts/<int:pk>/discard", composer.blast_discard, name="blast_discard"),
    path("blasts/<int:pk>/undo", reports.blast_undo, name="blast_undo"),
    path("blasts/<int:pk>/pause", reports.blast_pause, name="blast_pause"),
    path("blasts/<int:pk>/resume", reports.blast_resume, name="blast_resume"),
    path("blasts/<int:pk>/cancel", reports.blast_cancel, name="blast_cancel"),
    path("blasts/<int:pk>/retry", reports.blast_retry, name="blast_retry"),
    path("blasts/<int:pk>/live", reports.blast_live, name="blast_live"),
    path("blasts/<int:pk>/launched", reports.blast_launched, name="blast_launched"),
    path("blasts/<int:pk>/group", people.blast_group, name="blast_group"),
    path("blasts/<int:pk>/people.csv", people.blast_export, name="blast_export"),
]
