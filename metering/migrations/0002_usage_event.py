"""The event table: partitioned by month of admission, which Django cannot say in a model."""

from __future__ import annotations

from django.db import migrations, models

CREATE = """
CREATE TABLE usage_event (
    id uuid NOT NULL,
    admitted_at timestamptz NOT NULL,
    workspace_id uuid NOT NULL,
    day date NOT NULL,
    client text NOT NULL,
    key_id uuid NOT NULL,
    key_name text NOT NULL,
    credential_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    requested_model text NOT NULL,
    endpoint text NOT NULL,
    stream boolean NOT NULL,
    test boolean NOT NULL,
    source text NOT NULL,
    status text NOT NULL,
    http_status smallint NOT NULL,
    estimated boolean NOT NULL,
    flags jsonb NOT NULL,
    input_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    usage jsonb NOT NULL,
    cost bigint,
    cost_source text NOT NULL,
    price_version text NOT NULL,
    lines jsonb NOT NULL,
    provider_cost bigint,
    price bigint,
    latency_ms integer NOT NULL,
    first_byte_ms integer,
    tags jsonb NOT NULL,
    PRIMARY KEY (admitted_at, id)
) PARTITION BY RANGE (admitted_at);
CREATE INDEX usage_event_by_workspace ON usage_event (workspace_id, admitted_at, id);
"""


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE usage_event")],
            state_operations=[
                migrations.CreateModel(
                    name="UsageEvent",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "admitted_at", "id", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("id", models.UUIDField()),
                        ("admitted_at", models.DateTimeField()),
                        ("workspace_id", models.UUIDField()),
                        ("day", models.DateField()),
                        ("client", models.TextField(help_text="The client's slug; empty: Unattributed.")),
                        ("key_id", models.UUIDField()),
                        ("key_name", models.TextField()),
                        ("credential_id", models.UUIDField(null=True)),
                        ("provider", models.TextField()),
                        (
                            "model",
                            models.TextField(help_text="As priced: the model that answered, else the one asked for."),
                        ),
                        ("requested_model", models.TextField()),
                        ("endpoint", models.TextField()),
                        ("stream", models.BooleanField()),
                        ("test", models.BooleanField(help_text="A call to the sandbox: never on a statement.")),
                        (
                            "source",
                            models.TextField(
                                help_text="proxy, adjustment, or what a caller of the usage endpoint named."
                            ),
                        ),
                        ("status", models.TextField(help_text="ok, aborted, provider_error or not_dispatched.")),
                        ("http_status", models.SmallIntegerField()),
                        ("estimated", models.BooleanField()),
                        ("flags", models.JSONField(default=list)),
                        ("input_tokens", models.BigIntegerField()),
                        ("cache_read_tokens", models.BigIntegerField()),
                        ("cache_write_tokens", models.BigIntegerField()),
                        ("output_tokens", models.BigIntegerField()),
                        ("reasoning_tokens", models.BigIntegerField()),
                        ("usage", models.JSONField(help_text="Every non-zero canonical count (metering.usage.Usage).")),
                        ("cost", models.BigIntegerField(help_text="Nano-USD; null: unpriced.", null=True)),
                        (
                            "cost_source",
                            models.TextField(
                                help_text="catalogue, provider, declared, free, sandbox; empty: unpriced."
                            ),
                        ),
                        ("price_version", models.TextField()),
                        (
                            "lines",
                            models.JSONField(
                                help_text="[[unit, count, unit price USD, amount USD], …] that make the cost."
                            ),
                        ),
                        (
                            "provider_cost",
                            models.BigIntegerField(help_text="Nano-USD as the provider reported it.", null=True),
                        ),
                        (
                            "price",
                            models.BigIntegerField(
                                help_text="Nano-USD that the client pays; null: no contract.", null=True
                            ),
                        ),
                        ("latency_ms", models.IntegerField()),
                        ("first_byte_ms", models.IntegerField(null=True)),
                        ("tags", models.JSONField()),
                    ],
                    options={
                        "db_table": "usage_event",
                    },
                ),
            ],
        ),
    ]
