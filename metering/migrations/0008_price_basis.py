"""What beside model and counts a price depends on stays with the event, so that it can be priced anew."""

from __future__ import annotations

from django.db import migrations, models

ADD = """
ALTER TABLE usage_event ADD COLUMN basis jsonb NOT NULL DEFAULT '{}';
CREATE INDEX usage_event_reported ON usage_event (workspace_id, admitted_at) WHERE provider_cost IS NOT NULL;
"""
DROP = "DROP INDEX usage_event_reported; ALTER TABLE usage_event DROP COLUMN basis;"


class Migration(migrations.Migration):
    dependencies = [("metering", "0007_adjustments")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, DROP)],
            state_operations=[
                migrations.AddField(
                    "usageevent",
                    "basis",
                    models.JSONField(
                        default=dict,
                        help_text="What else the price depends on: context, parts; of an adjustment what it corrects.",
                    ),
                )
            ],
        ),
    ]
