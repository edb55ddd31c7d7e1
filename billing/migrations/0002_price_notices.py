"""The price book is append-only, and every addition to it is told to the gateways: a workspace's under its id."""

from __future__ import annotations

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a change is a new row, an end is a row of billing_priceruleend', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION tell_gateways_of_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tokonomics_changes', COALESCE(to_jsonb(NEW)->>'workspace_id', 'prices'));
    RETURN NULL;
END $$;
"""
DROP = "DROP FUNCTION tell_gateways_of_prices(); DROP FUNCTION refuse_price_change();"

TRIGGERS = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_price_change();
CREATE TRIGGER tell_gateways AFTER INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION tell_gateways_of_prices();
"""
NO_TRIGGERS = "DROP TRIGGER tell_gateways ON {table}; DROP TRIGGER refuse_change ON {table};"
TABLES = ("billing_pricelist", "billing_pricerule", "billing_priceruleend")


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_price_book")]

    operations = [
        migrations.RunSQL(CREATE, DROP),
        *(migrations.RunSQL(TRIGGERS.format(table=table), NO_TRIGGERS.format(table=table)) for table in TABLES),
    ]
