"""`manage.py price_book`: the rules of the price book for all workspaces, or for one."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from billing.decomposition import UNITS
from billing.management.moments import moment
from billing.models import PriceRule
from billing.money import plain_text
from billing.pricebook import add_alias, add_discount, add_price, end_rule, rules
from tokonomics.models import Workspace


class Command(BaseCommand):
    """Lists, adds and ends own prices, discounts and aliases."""

    help = "Keeps prices, discounts and aliases for all workspaces; with --workspace, for one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do, and the rule."""
        deeds = parser.add_subparsers(dest="deed", required=True)
        self._rule(deeds.add_parser("list", help="print the rules"), dated=False)
        price = self._rule(deeds.add_parser("price", help="give a model unit prices"))
        price.add_argument("provider", help="as the catalogue calls it: openai, x-ai, own/<slug>")
        price.add_argument("model", help="a name, or a pattern with *")
        price.add_argument("prices", nargs="+", type=_price, metavar="UNIT=USD", help=f"units: {', '.join(UNITS)}")
        price.add_argument("--tier", default="", help="standard, batch, flex, priority or fast; by default all")
        discount = self._rule(deeds.add_parser("discount", help="take percents off list prices"))
        discount.add_argument("percent", type=_number)
        discount.add_argument("--provider", default="")
        discount.add_argument("--model", default="")
        alias = self._rule(deeds.add_parser("alias", help="price a model as another one"))
        for name in ("provider", "model", "to_provider", "to_model"):
            alias.add_argument(name)
        end = deeds.add_parser("end", help="end a rule")
        end.add_argument("rule", type=_identifier)
        end.add_argument("--at", type=moment, help="by default now")

    def handle(self, *args: Any, **options: Any) -> None:
        """The deed, or with a clear message nothing."""
        try:
            getattr(self, f"_{options['deed']}")(options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _rule(self, parser: ArgumentParser, *, dated: bool = True) -> ArgumentParser:
        parser.add_argument("--workspace", type=_identifier, metavar="ID", help="by default all of them")
        if dated:
            parser.add_argument("--from", dest="starts_at", type=moment, metavar="MOMENT", help="by default now")
            parser.add_argument("--until", dest="ends_at", type=moment, metavar="MOMENT", help="by default no end")
            parser.add_argument("--note", default="")
        return parser

    def _list(self, options: dict[str, Any]) -> None:
        for row in rules().filter(workspace=_workspace(options)).order_by("created_at"):
            until = f" until {row.until:%Y-%m-%d %H:%M}" if row.until else ""
            self.stdout.write(f"{row.pk} from {row.starts_at:%Y-%m-%d %H:%M}{until}: {row} {_said(row)}".rstrip())

    def _price(self, options: dict[str, Any]) -> None:
        place = {name: options[name] for name in ("provider", "model", "tier")}
        self._made(add_price(**place, prices=dict(options["prices"]), **_terms(options)))

    def _discount(self, options: dict[str, Any]) -> None:
        place = {name: options[name] for name in ("provider", "model", "percent")}
        self._made(add_discount(**place, **_terms(options)))

    def _alias(self, options: dict[str, Any]) -> None:
        place = {name: options[name] for name in ("provider", "model", "to_provider", "to_model")}
        self._made(add_alias(**place, **_terms(options)))

    def _end(self, options: dict[str, Any]) -> None:
        rule = PriceRule.objects.filter(pk=options["rule"]).first()
        if rule is None:
            raise CommandError(f"There is no rule {options['rule']}.")
        end = end_rule(rule=rule, ends_at=options["at"], actor=None)
        self.stdout.write(f"{rule.pk} ends {end.ends_at:%Y-%m-%d %H:%M} UTC.")

    def _made(self, rule: PriceRule) -> None:
        self.stdout.write(f"{rule.pk} from {rule.starts_at:%Y-%m-%d %H:%M} UTC: {rule} {_said(rule)}".rstrip())


def _terms(options: dict[str, Any]) -> dict[str, Any]:
    terms = {name: options[name] for name in ("starts_at", "ends_at", "note")}
    return {"workspace": _workspace(options), "actor": None, **terms}


def _workspace(options: dict[str, Any]) -> Workspace | None:
    if options["workspace"] is None:
        return None
    found = Workspace.objects.filter(pk=options["workspace"]).first()
    if found is None:
        raise CommandError(f"There is no workspace {options['workspace']}.")
    return found


def _said(rule: PriceRule) -> str:
    if rule.kind == PriceRule.Kind.ALIAS:
        return f"as {rule.to_provider} {rule.to_model}"
    if rule.percent is not None:
        return f"{plain_text(rule.percent)} %"
    return ", ".join(f"{key}={price}" for key, price in rule.prices.items())


def _price(text: str) -> tuple[str, Decimal]:
    unit, _, price = text.partition("=")
    return unit, _number(price)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is not a number.") from error


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not an id.") from error
