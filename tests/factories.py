"""Makers of rows for tests; each gives a valid row of its own, without surprises."""

from __future__ import annotations

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory, Password

from metering.models import ApiKey, Budget, Client, ProviderCredential
from tokonomics.crypto import digest, new_api_key, new_api_token
from tokonomics.ids import new_id
from tokonomics.models import ApiToken, Membership, Role, User, Workspace
from tokonomics.secrets import keyring

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    """A user with PASSWORD, which is hashed only where a test asks for it: `UserFactory.create(password=PASSWORD)`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = Sequence(lambda number: f"user{number}@example.com")
    password = Password(None)


class WorkspaceFactory(DjangoModelFactory[Workspace]):
    class Meta:
        model = Workspace

    name = Sequence(lambda number: f"Agency {number}")
    timezone = "UTC"


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    workspace = SubFactory(WorkspaceFactory)
    user = SubFactory(UserFactory)
    role = Role.MEMBER


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """A token; give its text as `token=` to use it."""

    class Meta:
        model = ApiToken

    class Params:
        token = LazyFunction(new_api_token)

    workspace = SubFactory(WorkspaceFactory)
    name = Sequence(lambda number: f"Token {number}")
    digest = LazyAttribute(lambda row: digest(row.token))
    last_four = LazyAttribute(lambda row: row.token[-4:])
    scopes = LazyFunction(lambda: ["events:read"])


class ClientFactory(DjangoModelFactory[Client]):
    class Meta:
        model = Client

    workspace = SubFactory(WorkspaceFactory)
    slug = Sequence(lambda number: f"client-{number}")
    name = Sequence(lambda number: f"Client {number}")
    confirmed_at = LazyFunction(timezone.now)


class ProviderCredentialFactory(DjangoModelFactory[ProviderCredential]):
    """An account at OpenAI; give its secret as `plain=`."""

    class Meta:
        model = ProviderCredential

    class Params:
        plain = "sk-test-0123456789"

    id = LazyFunction(new_id)
    workspace = SubFactory(WorkspaceFactory)
    slug = "openai"
    name = "OpenAI"
    secret = LazyAttribute(lambda row: keyring().encrypt(row.plain, workspace=row.workspace.id, row=row.id))
    last_four = LazyAttribute(lambda row: row.plain[-4:])


class ApiKeyFactory(DjangoModelFactory[ApiKey]):
    """A free key; give its text as `key=` to use it, and `client=` to bind it."""

    class Meta:
        model = ApiKey

    class Params:
        key = LazyFunction(new_api_key)

    workspace = SubFactory(WorkspaceFactory)
    name = Sequence(lambda number: f"Key {number}")
    digest = LazyAttribute(lambda row: digest(row.key))
    last_four = LazyAttribute(lambda row: row.key[-4:])


class BudgetFactory(DjangoModelFactory[Budget]):
    """A cap of 900 dollars a month on a workspace; give `client=` or `key=` for another target."""

    class Meta:
        model = Budget

    workspace = SubFactory(WorkspaceFactory)
    limit = 900 * 10**9
    hard = True
