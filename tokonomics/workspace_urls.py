"""The pages of a workspace that are about the workspace itself, and those that lead to one."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from tokonomics.views import audit, invitations, members, tokens, workspace

settings_urls: list[URLPattern | URLResolver] = [
    path("w/<uuid:workspace>/settings/", workspace.settings, name="settings"),
    path("w/<uuid:workspace>/settings/members/", members.member_list, name="members"),
    path("w/<uuid:workspace>/settings/members/<uuid:membership>/role/", members.member_role, name="member_role"),
    path("w/<uuid:workspace>/settings/members/<uuid:membership>/remove/", members.member_remove, name="member_remove"),
    path(
        "w/<uuid:workspace>/settings/invitations/<uuid:invitation>/withdraw/",
        members.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path("w/<uuid:workspace>/settings/tokens/", tokens.token_list, name="tokens"),
    path("w/<uuid:workspace>/settings/tokens/new/", tokens.token_new, name="token_new"),
    path("w/<uuid:workspace>/settings/tokens/<uuid:token>/revoke/", tokens.token_revoke, name="token_revoke"),
    path("w/<uuid:workspace>/settings/audit/", audit.audit_log, name="audit"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *settings_urls,
    path("workspaces/new/", workspace.workspace_new, name="workspace_new"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
]
