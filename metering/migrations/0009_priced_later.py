"""An adjustment that prices a call takes it out of the unpriced ones: a row of nothing else falls below nothing."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

COUNTS = Q(calls__gte=0, errors__gte=0, estimated__gte=0)
SUMS = {"dailyusage": "dailyusage_sums", "dailytagusage": "dailytagusage_sums"}


class Migration(migrations.Migration):
    dependencies = [("metering", "0008_price_basis")]

    operations = [
        operation
        for model, name in SUMS.items()
        for operation in (
            migrations.RemoveConstraint(model, name),
            migrations.AddConstraint(
                model,
                models.CheckConstraint(condition=COUNTS & (Q(unpriced__gte=0) | Q(calls=0)), name=name),
            ),
        )
    ]
