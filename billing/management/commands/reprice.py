"""`manage.py reprice`: price the calls of some days anew, by hand."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from billing.models import Repricing
from billing.money import usd_text
from billing.repricing_runs import apply_run, make_run, work
from tokonomics.models import Workspace


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a day: write it as 2026-11-25.") from error


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not the id of a workspace.") from error


class Command(BaseCommand):
    """Print what would change for each client, and with --apply change it."""

    help = "Prices calls anew by the price book as it is now. Without --apply nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", type=_id, metavar="ID", required=True)
        parser.add_argument("--from", type=_day, metavar="YYYY-MM-DD", required=True, dest="first")
        parser.add_argument("--to", type=_day, metavar="YYYY-MM-DD", required=True, dest="last")
        parser.add_argument("--provider", default="", help="only calls of this provider")
        parser.add_argument("--model", default="", help="only calls of this model")
        parser.add_argument("--unpriced", action="store_true", help="only calls that have no price")
        parser.add_argument("--apply", action="store_true", help="append the differences to the ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(pk=options["workspace"]).first()
        if workspace is None:
            raise CommandError("There is no such workspace.")
        chosen = {name: options[name] for name in ("first", "last", "provider", "model")}
        try:
            run = make_run(workspace=workspace, unpriced_only=options["unpriced"], actor=None, **chosen)
            work(run.pk)
            self._show(run, applied=False)
            if options["apply"]:
                apply_run(run=run, actor=None)
                work(run.pk)
                self._show(run, applied=True)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _show(self, run: Repricing, *, applied: bool) -> None:
        shares = list(run.shares.filter(applied=applied).order_by("client"))
        for share in shares:
            moved = usd_text(share.new - share.old)
            told = f"{share.calls} calls, {usd_text(share.old)} → {usd_text(share.new)} USD ({moved})"
            self.stdout.write(f"{share.client or 'Unattributed'}: {told}")
        moved = usd_text(sum(share.new - share.old for share in shares))
        calls = sum(share.calls for share in shares)
        done = "Applied" if applied else "Preview, nothing is changed"
        self.stdout.write(f"{done}: {calls} calls, a difference of {moved} USD.")
