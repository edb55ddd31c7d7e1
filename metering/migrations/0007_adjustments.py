"""An adjustment, which is an event that corrects another one, may be negative; and calls told twice are found by id."""

from __future__ import annotations

from django.db import migrations, models

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
CHECKS = {"usage_event_money": ("cost", "provider_cost", "price"), "usage_event_tokens": TOKENS}


def unless_adjustment(columns: tuple[str, ...]) -> models.Q:
    return models.Q(source="adjustment") | models.Q(*((f"{column}__gte", 0) for column in columns))


TOLD = "CREATE INDEX usage_event_told ON usage_event (id) WHERE source NOT IN ('proxy', 'adjustment')"


COUNTS = models.Q(("calls__gte", 0), ("errors__gte", 0), ("unpriced__gte", 0), ("estimated__gte", 0))
SUMS = {"dailyusage": "dailyusage_sums", "dailytagusage": "dailytagusage_sums"}


class Migration(migrations.Migration):
    dependencies = [("metering", "0006_reservations")]

    operations = [
        *(migrations.RemoveConstraint("usageevent", name) for name in CHECKS),
        *(
            migrations.AddConstraint(
                "usageevent", models.CheckConstraint(condition=unless_adjustment(columns), name=name)
            )
            for name, columns in CHECKS.items()
        ),
        *(migrations.RemoveConstraint(model, name) for model, name in SUMS.items()),
        *(
            migrations.AddConstraint(model, models.CheckConstraint(condition=COUNTS, name=name))
            for model, name in SUMS.items()
        ),
        migrations.RunSQL(TOLD, "DROP INDEX usage_event_told"),
    ]
