"""Events stay as they were written, sums never fall below nothing, and rollup rows have room to grow in place."""

from __future__ import annotations

from django.db import migrations, models

KEEP_EVENTS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a correction is an adjustment, and old months go as whole partitions', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON usage_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

FREE_EVENTS = """
DROP TRIGGER refuse_change ON usage_event;
DROP FUNCTION refuse_change();
"""

# A row that is updated within its page needs no new entries in the index (a heap-only tuple).
LEAVE_ROOM = """
ALTER TABLE daily_usage SET (fillfactor = 70);
ALTER TABLE daily_tag_usage SET (fillfactor = 70);
ALTER TABLE daily_refusals SET (fillfactor = 70);
ALTER TABLE spool_file SET (fillfactor = 50);
"""

FILL_UP = """
ALTER TABLE daily_usage RESET (fillfactor);
ALTER TABLE daily_tag_usage RESET (fillfactor);
ALTER TABLE daily_refusals RESET (fillfactor);
ALTER TABLE spool_file RESET (fillfactor);
"""

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
SUMS = ("calls", "errors", "unpriced", "estimated", *TOKENS, "cost")


def not_negative(model: str, name: str, *columns: str) -> migrations.AddConstraint:
    condition = models.Q(*((f"{column}__gte", 0) for column in columns))
    return migrations.AddConstraint(model, models.CheckConstraint(condition=condition, name=name))


class Migration(migrations.Migration):
    dependencies = [("metering", "0003_change_notices")]

    operations = [
        migrations.RunSQL(KEEP_EVENTS, FREE_EVENTS),
        migrations.RunSQL(LEAVE_ROOM, FILL_UP),
        not_negative("usageevent", "usage_event_money", "cost", "provider_cost", "price"),
        not_negative("usageevent", "usage_event_tokens", *TOKENS),
        migrations.AddConstraint(
            "usageevent",
            models.CheckConstraint(
                condition=models.Q(("status__in", ("ok", "aborted", "provider_error", "not_dispatched"))),
                name="usage_event_status",
            ),
        ),
        not_negative("dailyusage", "dailyusage_sums", *SUMS),
        not_negative("dailytagusage", "dailytagusage_sums", *SUMS),
    ]
