"""`manage.py quickstart`: from nothing to a key that works, for a laptop, a script or a test."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from billing.money import InvalidAmount, parse_usd
from metering import credentials
from metering.budgets import set_budget
from metering.clients import make_client
from metering.keys import NAME_LENGTH, mint_key
from metering.models import Client
from tokonomics.accounts import make_user, open_workspace
from tokonomics.models import Membership, User, Workspace
from tokonomics.tokens import SCOPES, mint_token

NAME = "quickstart"
HINT = " TOKONOMICS_ALLOW_PRIVATE_ADDRESSES=1 allows private and loopback addresses."


class Command(BaseCommand):
    """Finds or makes what is named, and mints a fresh key and token, since neither can be shown twice."""

    help = "Prints one JSON object: api_key, api_token, workspace, login_url and proxy_url."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, where, and optionally with which provider and for which client."""
        parser.add_argument("--email", required=True, help="who signs in; made when unknown")
        parser.add_argument("--password", required=True, help="of a user that is made; an existing one keeps theirs")
        parser.add_argument("--workspace", required=True, metavar="NAME", help="one of the user's by its name, or made")
        parser.add_argument("--provider", default="", help="such as openai, or a route of your own with --base-url")
        parser.add_argument("--provider-key", default="", help="the provider's key, stored encrypted")
        parser.add_argument("--base-url", default="", help="another address than the provider's own")
        parser.add_argument("--client", default="", metavar="TAG", help="binds the key to this client; else it is free")
        parser.add_argument("--cap", metavar="USD", help="a hard monthly cap on the key")

    def handle(self, *args: Any, **options: Any) -> None:
        """All of it, or with a clear message nothing."""
        cap = _cap(options["cap"])
        if not options["provider"] and (options["provider_key"] or options["base_url"]):
            raise CommandError("Name the provider too, such as --provider openai.")
        try:
            with transaction.atomic():
                made = self.make(options, cap)
        except ValidationError as error:
            hint = (
                "" if settings.ALLOW_PRIVATE_ADDRESSES or "base_url" not in getattr(error, "error_dict", {}) else HINT
            )
            raise CommandError(" ".join(error.messages) + hint) from error
        self.stdout.write(json.dumps(made, ensure_ascii=False))

    def make(self, options: dict[str, Any], cap: int | None) -> dict[str, str]:
        """What is printed; `cap` in nano-USD. Raises ValidationError."""
        user = self.user(options["email"], options["password"])
        workspace = _workspace(user, options["workspace"])
        if options["provider"]:
            _connect(workspace, user, options["provider"], options["provider_key"], options["base_url"])
        client = _client(workspace, user, options["client"]) if options["client"] else None
        name = client.slug[:NAME_LENGTH] if client else NAME
        row, key = mint_key(workspace=workspace, name=name, client=client, actor=user)
        if cap is not None:
            set_budget(workspace=workspace, key=row, limit=cap, hard=True, actor=user)
        _, token = mint_token(workspace=workspace, name=NAME, scopes=SCOPES, actor=user)
        return {
            "api_key": key,
            "api_token": token,
            "workspace": str(workspace.pk),
            "login_url": settings.PUBLIC_URL + reverse("account_login"),
            "proxy_url": settings.PUBLIC_URL + "/proxy",
        }

    def user(self, email: str, password: str) -> User:
        """Found by address, or made."""
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            return make_user(email=email, password=password)
        if not user.check_password(password):
            self.stderr.write(f"{user.email} exists and keeps the password it has.")
        return user


def _cap(text: str | None) -> int | None:
    """The nano-USD of --cap; raises CommandError."""
    try:
        return None if text is None else parse_usd(text)
    except InvalidAmount as error:
        raise CommandError(f"--cap: {error}") from error


def _workspace(user: User, name: str) -> Workspace:
    """Among the user's own alone: somebody else's workspace may have the same name."""
    membership = Membership.objects.select_related("workspace").filter(user=user, workspace__name=name).first()
    return membership.workspace if membership else open_workspace(name=name, timezone="UTC", owner=user)


def _connect(workspace: Workspace, user: User, slug: str, secret: str, base_url: str) -> None:
    """The default account of this provider, with this key and address; without either an existing one stays."""
    if slug == credentials.SANDBOX:
        return
    found = credentials.default_of(workspace, slug)
    if found is None:
        credentials.connect_provider(workspace=workspace, slug=slug, secret=secret, base_url=base_url, actor=user)
    elif secret or base_url:
        credentials.change_credential(credential=found, name=found.name, base_url=base_url, secret=secret, actor=user)


def _client(workspace: Workspace, user: User, slug: str) -> Client:
    found = Client.objects.filter(workspace=workspace, slug=slug).exclude(confirmed_at=None).first()
    return found or make_client(workspace=workspace, name=slug, slug=slug, actor=user)
