"""Caps that hold: calls reserve their worst case on all of their budgets or on none, and are settled as they are recorded.

Whoever touches periods locks them in the order (budget_id, starts_at), after the advisory locks of their workspaces in the
order of their numbers: the recorder shares those while it adds events, and a period that is opened holds one alone, so that its
first sum and the events recorded later neither overlap nor leave a gap.
"""

from __future__ import annotations

from django.db import migrations

OPEN = """
CREATE FUNCTION workspace_lock(workspace uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended(workspace::text, 0)
$$;

CREATE FUNCTION open_budget_period(wanted uuid, starts timestamptz, ends timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    target record;
BEGIN
    IF EXISTS (SELECT FROM budget_period WHERE budget_id = wanted AND starts_at = starts) THEN
        RETURN;
    END IF;
    SELECT b.workspace_id AS workspace, b.key_id AS key, c.slug AS client INTO target
    FROM metering_budget b LEFT JOIN metering_client c ON c.id = b.client_id WHERE b.id = wanted;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(workspace_lock(target.workspace));
    INSERT INTO budget_period (budget_id, workspace_id, starts_at, ends_at, settled, reserved)
    SELECT wanted, target.workspace, starts, ends, COALESCE(sum(cost), 0)::bigint, 0
    FROM usage_event
    WHERE workspace_id = target.workspace AND admitted_at >= starts AND admitted_at < ends
        AND (target.key IS NULL OR key_id = target.key) AND (target.client IS NULL OR client = target.client)
    ON CONFLICT DO NOTHING;
END $$;
"""

# One row of the answer a call, in their order. `slot` points into slot_budgets: the budget that refuses, or of an admitted
# call the one with the least left; firsts, seconds and thirds name the slots of each call, 0 for none.
RESERVE = """
CREATE FUNCTION reserve_calls(
    slot_budgets uuid[], slot_starts timestamptz[], slot_ends timestamptz[],
    ids uuid[], workspaces uuid[], amounts bigint[], firsts int[], seconds int[], thirds int[],
    spool uuid, intents jsonb[]
) RETURNS TABLE (verdict text, slot int, cap bigint, settled bigint, reserved bigint)
LANGUAGE plpgsql AS $$
DECLARE
    caps bigint[];
    spent bigint[];
    held bigint[];
    admitted boolean[] := '{}';
    rank int;
    worst int;
    s int;
BEGIN
    PERFORM open_budget_period(wanted.budget, wanted.starts, wanted.ends)
    FROM unnest(slot_budgets, slot_starts, slot_ends) AS wanted (budget, starts, ends)
    JOIN metering_budget b ON b.id = wanted.budget
    LEFT JOIN budget_period p ON p.budget_id = wanted.budget AND p.starts_at = wanted.starts
    WHERE p.budget_id IS NULL
    ORDER BY workspace_lock(b.workspace_id);

    PERFORM FROM budget_period p
    JOIN unnest(slot_budgets, slot_starts) AS wanted (budget, starts)
        ON p.budget_id = wanted.budget AND p.starts_at = wanted.starts
    ORDER BY p.budget_id, p.starts_at FOR UPDATE OF p;

    SELECT array_agg(found.cap ORDER BY found.n), array_agg(found.settled ORDER BY found.n),
        array_agg(found.reserved ORDER BY found.n) INTO caps, spent, held
    FROM (
        SELECT wanted.n, COALESCE(p.settled, 0) AS settled, COALESCE(p.reserved, 0) AS reserved,
            CASE WHEN b.hard AND b.paused_at IS NULL THEN
                b.limit + CASE WHEN b.raised_until > clock_timestamp() THEN b.raised_by ELSE 0 END
            END AS cap
        FROM unnest(slot_budgets, slot_starts) WITH ORDINALITY AS wanted (budget, starts, n)
        LEFT JOIN metering_budget b ON b.id = wanted.budget
        LEFT JOIN budget_period p ON p.budget_id = wanted.budget AND p.starts_at = wanted.starts
    ) AS found;

    FOR i IN 1 .. cardinality(ids) LOOP
        worst := 0;
        slot := 0;
        FOREACH s IN ARRAY ARRAY[firsts[i], seconds[i], thirds[i]] LOOP
            CONTINUE WHEN s = 0 OR caps[s] IS NULL;
            rank := CASE
                WHEN spent[s] >= caps[s] THEN 3
                WHEN spent[s] + amounts[i] > caps[s] THEN 2
                WHEN spent[s] + held[s] + amounts[i] > caps[s] THEN 1
                ELSE 0 END;
            IF rank > worst THEN
                worst := rank;
                slot := s;
            END IF;
        END LOOP;
        IF worst = 0 THEN
            FOREACH s IN ARRAY ARRAY[firsts[i], seconds[i], thirds[i]] LOOP
                CONTINUE WHEN s = 0;
                held[s] := held[s] + amounts[i];
                IF caps[s] IS NOT NULL
                    AND (slot = 0 OR caps[s] - spent[s] - held[s] < caps[slot] - spent[slot] - held[slot]) THEN
                    slot := s;
                END IF;
            END LOOP;
        END IF;
        admitted[i] := worst = 0;
        verdict := (ARRAY['admitted', 'budget_reserved', 'request_exceeds_budget', 'budget_exhausted'])[worst + 1];
        cap := caps[slot];
        settled := spent[slot];
        reserved := held[slot];
        RETURN NEXT;
    END LOOP;

    UPDATE budget_period p SET reserved = now_held.amount
    FROM unnest(slot_budgets, slot_starts, held) AS now_held (budget, starts, amount)
    WHERE p.budget_id = now_held.budget AND p.starts_at = now_held.starts AND p.reserved <> now_held.amount;

    INSERT INTO reservation (id, workspace_id, process, budgets, starts, amount, intent, created_at)
    SELECT call.id, call.workspace, spool,
        array_remove(ARRAY[slot_budgets[call.a], slot_budgets[call.b], slot_budgets[call.c]], NULL),
        array_remove(ARRAY[slot_starts[call.a], slot_starts[call.b], slot_starts[call.c]], NULL),
        call.amount, call.intent, clock_timestamp()
    FROM unnest(ids, workspaces, amounts, firsts, seconds, thirds, intents, admitted)
        AS call (id, workspace, amount, a, b, c, intent, admitted)
    WHERE call.admitted;
END $$;
"""

# Ends the reservations of some calls, and adds costs to periods: one lock order for both.
SETTLE = """
CREATE FUNCTION settle_budgets(ids uuid[], cost_budgets uuid[], cost_starts timestamptz[], costs bigint[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    freed_budgets uuid[];
    freed_starts timestamptz[];
    freed bigint[];
    ended bigint;
BEGIN
    WITH gone AS (
        DELETE FROM reservation WHERE id = ANY(ids) RETURNING budgets, starts, amount
    ), parts AS (
        SELECT part.budget, part.starts, sum(gone.amount)::bigint AS amount
        FROM gone, unnest(gone.budgets, gone.starts) AS part (budget, starts) GROUP BY 1, 2
    )
    SELECT array_agg(parts.budget), array_agg(parts.starts), array_agg(parts.amount), (SELECT count(*) FROM gone)
    INTO freed_budgets, freed_starts, freed, ended FROM parts;

    PERFORM FROM budget_period p
    JOIN (
        SELECT * FROM unnest(freed_budgets, freed_starts) AS a (budget, starts)
        UNION SELECT * FROM unnest(cost_budgets, cost_starts) AS b (budget, starts)
    ) AS touched ON p.budget_id = touched.budget AND p.starts_at = touched.starts
    ORDER BY p.budget_id, p.starts_at FOR UPDATE OF p;

    UPDATE budget_period p
    SET reserved = p.reserved - COALESCE(change.freed, 0), settled = p.settled + COALESCE(change.cost, 0)
    FROM (
        SELECT COALESCE(f.budget, c.budget) AS budget, COALESCE(f.starts, c.starts) AS starts, f.amount AS freed, c.cost
        FROM unnest(freed_budgets, freed_starts, freed) AS f (budget, starts, amount)
        FULL JOIN unnest(cost_budgets, cost_starts, costs) AS c (budget, starts, cost)
            ON f.budget = c.budget AND f.starts = c.starts
    ) AS change
    WHERE p.budget_id = change.budget AND p.starts_at = change.starts;
    RETURN COALESCE(ended, 0);
END $$;
"""

TELL = """
CREATE TRIGGER tell_gateways AFTER INSERT OR UPDATE OR DELETE ON metering_budget
    FOR EACH ROW EXECUTE FUNCTION tell_gateways();
ALTER TABLE budget_period SET (fillfactor = 50);
"""

DROP = """
ALTER TABLE budget_period RESET (fillfactor);
DROP TRIGGER tell_gateways ON metering_budget;
DROP FUNCTION settle_budgets(uuid[], uuid[], timestamptz[], bigint[]);
DROP FUNCTION reserve_calls(
    uuid[], timestamptz[], timestamptz[], uuid[], uuid[], bigint[], int[], int[], int[], uuid, jsonb[]);
DROP FUNCTION open_budget_period(uuid, timestamptz, timestamptz);
DROP FUNCTION workspace_lock(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("metering", "0005_budgets")]

    operations = [migrations.RunSQL(OPEN + RESERVE + SETTLE + TELL, DROP)]
