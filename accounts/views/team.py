"""Team: who is in the account, with which role; inviting, changing, removing."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import selectors, services
from accounts.access import AccountRequest, requires, role_includes, roles_up_to
from accounts.choices import Role
from accounts.forms import InvitationForm, RoleForm
from accounts.views.answers import done_or_refused


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def team(request: AccountRequest) -> HttpResponse:
    """The members and open invitations. 2 queries."""
    own = request.membership.role
    roles = roles_up_to(own)
    members = [
        {
            "row": row,
            "is_self": row.user_id == request.user.pk,
            "changeable": role_includes(own, Role.ADMIN) and role_includes(own, row.role),
        }
        for row in selectors.team_list(request.account)
    ]
    context = {
        "members": members,
        "roles": roles,
        "invitations": selectors.invitations_pending(request.account),
        "form": InvitationForm(roles=roles),
    }
    return render(request, "accounts/team.html", context)


@requires(Role.ADMIN)
@require_POST
def team_invite(request: AccountRequest) -> HttpResponse:
    """Send an invitation."""
    form = InvitationForm(request.POST, roles=roles_up_to(request.membership.role))

    def act() -> str:
        invitation, _ = services.invitation_create(
            account=request.account,
            actor=request.user,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
        )
        return f"Invitation sent to {invitation.email}. The link works for 7 days."

    if not form.is_valid():
        return _refused_form(request, form)
    return done_or_refused(request, back="team", act=act)


def _refused_form(request: AccountRequest, form: InvitationForm) -> HttpResponse:
    for errors in form.errors.values():
        messages.error(request, f"Nobody was invited. {' '.join(map(str, errors))}")
    return redirect("team")


@requires(Role.ADMIN)
@require_POST
def team_role(request: AccountRequest, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    form = RoleForm(request.POST)

    def act() -> str:
        member = services.membership_change(
            account=request.account,
            actor=request.user,
            membership_id=membership_id,
            role=form.cleaned_data["role"],
        )
        return f"The role of {member.user.display_name} is now {member.get_role_display().lower()}."

    if not form.is_valid():
        return redirect("team")
    return done_or_refused(request, back="team", act=act)


@requires(Role.VIEWER)
@require_POST
def team_remove(request: AccountRequest, membership_id: int) -> HttpResponse:
    """Take a member off the team (an admin), or leave (everybody)."""

    def act() -> str:
        member = services.membership_remove(
            account=request.account, actor=request.user, membership_id=membership_id
        )
        if member.user_id == request.user.pk:
            return f"You left {request.account.name}."
        return f"{member.user.display_name} can no longer open this account."

    return done_or_refused(request, back="team", act=act)


@requires(Role.ADMIN)
@require_POST
def team_uninvite(request: AccountRequest, invitation_id: int) -> HttpResponse:
    """Take an open invitation back."""

    def act() -> str:
        invitation = services.invitation_revoke(
            account=request.account, actor=request.user, invitation_id=invitation_id
        )
        return f"The invitation of {invitation.email} no longer works."

    return done_or_refused(request, back="team", act=act)
