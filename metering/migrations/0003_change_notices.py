"""Every change of a workspace, client, credential or key is told to the gateways, whoever made it and however."""

from __future__ import annotations

from django.db import migrations

CREATE = """
CREATE FUNCTION tell_gateways() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(COALESCE(NEW, OLD));
BEGIN
    PERFORM pg_notify('tokonomics_changes', COALESCE(changed->>'workspace_id', changed->>'id'));
    RETURN NULL;
END $$;
CREATE TRIGGER tell_gateways AFTER UPDATE OR DELETE ON tokonomics_workspace
    FOR EACH ROW EXECUTE FUNCTION tell_gateways();
CREATE TRIGGER tell_gateways AFTER UPDATE OR DELETE ON metering_client
    FOR EACH ROW EXECUTE FUNCTION tell_gateways();
CREATE TRIGGER tell_gateways AFTER INSERT OR UPDATE OR DELETE ON metering_providercredential
    FOR EACH ROW EXECUTE FUNCTION tell_gateways();
CREATE TRIGGER tell_gateways AFTER INSERT OR UPDATE OR DELETE ON metering_apikey
    FOR EACH ROW EXECUTE FUNCTION tell_gateways();
"""

DROP = """
DROP TRIGGER tell_gateways ON metering_apikey;
DROP TRIGGER tell_gateways ON metering_providercredential;
DROP TRIGGER tell_gateways ON metering_client;
DROP TRIGGER tell_gateways ON tokonomics_workspace;
DROP FUNCTION tell_gateways();
"""


class Migration(migrations.Migration):
    dependencies = [("metering", "0002_usage_event")]

    operations = [migrations.RunSQL(CREATE, DROP)]
