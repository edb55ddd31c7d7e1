"""Accounts at providers: connecting one, changing its secret, and which of several is used.

A secret is only ever sent to the address that it was given for, so another address needs the secret again.
Every change reaches the gateways by itself: a trigger of the table tells them (migration 0003).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from metering import providers
from metering.models import ProviderCredential
from metering.providers.account import Account
from metering.providers.base import Provider
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.ids import new_id
from tokonomics.models import Workspace
from tokonomics.outbound import check_url
from tokonomics.secrets import keyring

NAME_LENGTH = 100
SECRET_LENGTH = 4096
STORED_LENGTH = 8192
SHOWN_FROM = 12
"""Characters of a key, from which on its last four are shown."""
SANDBOX = "sandbox"
RESERVED_SLUGS = frozenset({SANDBOX, "usage"})
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@transaction.atomic
def connect_provider(
    *,
    workspace: Workspace,
    slug: str,
    secret: str,
    name: str = "",
    base_url: str = "",
    actor: Actor | None,
) -> ProviderCredential:
    """Keep an account at a provider, or at a server of one's own under a new slug; the first of a slug is its default.

    A server of one's own needs a base URL, and may do without a secret. A provider whose accounts have addresses of
    their own (`own_address`) needs one too. Raises ValidationError, by field.
    """
    _lock(workspace)
    slug = _clean_slug(slug)
    own_server = providers.find(slug) is None
    base_url = _clean_url(slug, base_url)
    secret, shown = _clean_secret(slug, secret, required=not own_server)
    identifier = new_id()
    credential = ProviderCredential.objects.create(
        id=identifier,
        workspace=workspace,
        slug=slug,
        name=_clean_name(name or label_of(slug)),
        base_url=base_url,
        secret=keyring().encrypt(secret, workspace=workspace.pk, row=identifier),
        last_four=shown,
        is_default=not in_use(workspace).filter(slug=slug, is_default=True).exists(),
    )
    audit.record("connected", credential, workspace=workspace, actor=actor, slug=slug, base_url=base_url)
    return credential


@transaction.atomic
def change_credential(*, credential: ProviderCredential, name: str, base_url: str, secret: str, actor: Actor) -> None:
    """Rename an account, replace its secret ('' keeps it), or move it to another address, which needs the secret again.

    Raises ValidationError, by field.
    """
    before = {"name": credential.name, "base_url": credential.base_url}
    credential.name = _clean_name(name)
    credential.base_url = _clean_url(credential.slug, base_url)
    moved = credential.base_url != before["base_url"]
    if moved and not secret and secret_of(credential):
        raise ValidationError(
            {"secret": "Another address needs the key again: it is only sent where it was meant for."}
        )
    if secret:
        secret, credential.last_four = _clean_secret(credential.slug, secret, required=True)
        credential.secret = keyring().encrypt(secret, workspace=credential.workspace_id, row=credential.pk)
    credential.save(update_fields=["name", "base_url", "secret", "last_four"])
    after = {"name": credential.name, "base_url": credential.base_url}
    changes = {key: audit.change(before[key], after[key]) for key in after if before[key] != after[key]}
    verb = "replaced the secret of" if secret else "changed"
    audit.record(verb, credential, workspace=credential.workspace, actor=actor, **changes)


@transaction.atomic
def make_default(*, credential: ProviderCredential, actor: Actor) -> None:
    """Use this account for all keys that are not pinned to another one; raises ValidationError when it is archived."""
    _lock(credential.workspace)
    if credential.archived_at:
        raise ValidationError("An archived account cannot be the default: restore it first.")
    in_use(credential.workspace).filter(slug=credential.slug).update(is_default=False)
    credential.is_default = True
    credential.save(update_fields=["is_default"])
    audit.record("made default", credential, workspace=credential.workspace, actor=actor)


@transaction.atomic
def archive_credential(*, credential: ProviderCredential, actor: Actor) -> None:
    """Stop using an account; it can be restored. Raises ValidationError while keys are pinned to it.

    A pinned key would fall back to the default account, and somebody else would pay.
    """
    _lock(credential.workspace)
    pinned = credential.api_keys.filter(revoked_at=None).count()
    if pinned:
        keys = "1 key is" if pinned == 1 else f"{pinned} keys are"
        raise ValidationError(f"{keys} pinned to this account: revoke what is pinned to it first.")
    if ProviderCredential.objects.filter(pk=credential.pk, archived_at=None).update(archived_at=timezone.now()):
        audit.record("archived", credential, workspace=credential.workspace, actor=actor)


@transaction.atomic
def restore_credential(*, credential: ProviderCredential, actor: Actor) -> None:
    """Use an archived account again, as the default where its provider has no other."""
    _lock(credential.workspace)
    others = in_use(credential.workspace).filter(slug=credential.slug, is_default=True)
    archived = ProviderCredential.objects.filter(pk=credential.pk).exclude(archived_at=None)
    if archived.update(archived_at=None, is_default=not others.exists()):
        audit.record("restored", credential, workspace=credential.workspace, actor=actor)


def in_use(workspace: Workspace) -> QuerySet[ProviderCredential]:
    """The accounts that calls may use, by provider, the default first."""
    found = ProviderCredential.objects.filter(workspace=workspace, archived_at=None)
    return found.order_by("slug", "-is_default", "created_at", "id")


def default_of(workspace: Workspace, slug: str) -> ProviderCredential | None:
    """The account that unpinned keys use at a provider, by its slug or alias."""
    return in_use(workspace).filter(slug=providers.ALIASES.get(slug, slug), is_default=True).first()


def archived(workspace: Workspace) -> QuerySet[ProviderCredential]:
    """The accounts that were put away, the latest first."""
    found = ProviderCredential.objects.filter(workspace=workspace).exclude(archived_at=None)
    return found.order_by("-archived_at", "id")


def connectable() -> list[Provider]:
    """The providers that need a key of the agency's, by name."""
    found = [provider for slug, provider in providers.PROVIDERS.items() if slug != SANDBOX]
    return sorted(found, key=lambda provider: provider.label.lower())


def provider_of(credential: ProviderCredential) -> Provider:
    """The provider, or the OpenAI-compatible server, that an account belongs to."""
    known = providers.find(credential.slug)
    return known or providers.compatible(credential.slug, credential.base_url, credential.name)


def label_of(slug: str) -> str:
    """A provider's name, or the slug of a server of one's own."""
    known = providers.find(slug)
    return known.label if known else slug


def secret_of(credential: ProviderCredential) -> str:
    """The provider's key; raises tokonomics.crypto.Undecryptable."""
    return keyring().decrypt(bytes(credential.secret), workspace=credential.workspace_id, row=credential.pk)


def _lock(workspace: Workspace) -> None:
    """Two people who connect the same provider at the same time must not both make the default."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _clean_slug(slug: str) -> str:
    slug = slug.strip().lower()
    slug = providers.ALIASES.get(slug, slug)
    if slug in RESERVED_SLUGS:
        raise ValidationError({"slug": f"{slug} cannot be connected: it is part of the product."})
    if not SLUG.fullmatch(slug):
        raise ValidationError({"slug": "Use 1 to 40 small letters, digits and hyphens, such as my-server."})
    return slug


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > NAME_LENGTH or not cleaned.isprintable():
        raise ValidationError({"name": f"Give the account a name of at most {NAME_LENGTH} characters."})
    return cleaned


def _clean_url(slug: str, url: str) -> str:
    """The address to call, '' for the provider's own; raises ValidationError."""
    url = url.strip()
    known = providers.find(slug)
    own = known.own_address if known else None
    if not url:
        if known is None:
            raise ValidationError(
                {"base_url": "A server of your own needs its address, such as https://llm.example.com/v1."}
            )
        if own is not None:
            raise ValidationError({"base_url": f"{known.label} needs an address: {own.help}"})
        return ""
    try:
        return check_url(own.read(url) if own is not None else url)
    except ValueError as error:
        raise ValidationError({"base_url": str(error)}) from error


def account_of(credential: ProviderCredential) -> Account | None:
    """The key of an account where it is more than a word to send along; raises Undecryptable, ValueError."""
    read = provider_of(credential).account
    return read(secret_of(credential)) if read else None


def _clean_secret(slug: str, secret: str, *, required: bool) -> tuple[str, str]:
    """The key without the blanks around it, such as a pasted line end, and the end of it that may be shown.

    It travels in a header, so it is plain ASCII, unless its provider reads more than a word from it.
    """
    secret = secret.strip()
    if not secret and required:
        raise ValidationError({"secret": "Paste the provider's key."})
    known = providers.find(slug)
    if known and known.account:
        return _clean_account(known.account, secret)
    if len(secret) > SECRET_LENGTH or not all("!" <= character <= "~" for character in secret):
        raise ValidationError(
            {"secret": "This is not a provider's key: it has blanks or other characters that no key has."}
        )
    return secret, _last_four(secret)


def _clean_account(read: Callable[[str], Account], secret: str) -> tuple[str, str]:
    """As the provider reads it. What brings access tokens must lead to an address that may be called."""
    try:
        account = read(secret)
        if account.grant is not None:
            check_url(account.grant.url)
            account.grant.form(timezone.now())
    except ValueError as error:
        raise ValidationError({"secret": str(error)}) from error
    if len(account.stored) > STORED_LENGTH:
        raise ValidationError({"secret": f"The key is longer than {STORED_LENGTH} characters."})
    return account.stored, account.shown if len(secret) >= SHOWN_FROM else ""


def _last_four(secret: str) -> str:
    """The end of a secret that is long enough to show some of it."""
    return secret[-4:] if len(secret) >= SHOWN_FROM else ""
