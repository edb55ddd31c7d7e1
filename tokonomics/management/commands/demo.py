"""`manage.py demo`: a workspace with a believable agency, so that every page can be seen full."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from metering.demo.cast import WORKSPACE
from metering.demo.filling import fill
from tokonomics.accounts import make_user
from tokonomics.models import Membership, User

EMAIL = "demo@example.com"


class Command(BaseCommand):
    """Fills the demo's workspace once; a second run only says where it is."""

    help = "Fills a workspace with 12 clients, 6 months of calls, several providers and budgets at every state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who signs in."""
        parser.add_argument("--email", default=EMAIL, help=f"made when unknown ({EMAIL})")
        parser.add_argument("--password", default="", help="of a user that is made; one is made up otherwise")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one JSON object: login_url, email, password where one was given or made, workspace and calls."""
        told = {"login_url": settings.PUBLIC_URL + reverse("account_login"), "email": options["email"].strip().lower()}
        user = User.objects.filter(email=told["email"]).first()
        if user is None:
            told["password"] = options["password"] or secrets.token_urlsafe(9)
            try:
                user = make_user(email=told["email"], password=told["password"])
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        found = Membership.objects.filter(user=user, workspace__name=WORKSPACE).select_related("workspace").first()
        if found:
            self.stderr.write(f"{WORKSPACE} is filled already.")
            told |= {"workspace": str(found.workspace_id)}
        else:
            workspace, calls = fill(user, timezone.now())
            told |= {"workspace": str(workspace.pk), "calls": str(calls)}
        self.stdout.write(json.dumps(told))
