"""The SQL of sheets.py: set-based, each touching one partition. Knows no rule; the states come as parameters.

Numbers that stand in the text are MessageState (0 QUEUED, 1 SENDING, 2 SENT, 3 DELIVERED) and Channel (1 SMS,
2 WHATSAPP, 4 PAPER).
"""

# Bills of people who want paper as well, whatever else arrives (m, p: message, preference), not printed for them yet.
# CANCELLED ones tell of nothing; those that wait at this step of their plan are PICK_PAPER's.
BESIDE = """
      FROM customers_preference p JOIN notifications_message m ON m.account_id = p.account_id
     WHERE p.wants_paper AND m.period = %(period)s AND m.kind = %(kind)s AND m.recipient = 0 AND m.state <> 9
       AND NOT (m.channel = 4 AND m.state IN (0, 1))
       AND NOT EXISTS (SELECT FROM notifications_delivery d
                        WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = m.ref AND d.recipient = 0
                          AND d.channel = 4)
"""
PICK_BESIDE = f"""
    SELECT m.ref {BESIDE}
       AND (SELECT u.service_centre_id
              FROM customers_agreement a JOIN metering_usagepoint u ON u.id = a.usage_point_id
             WHERE a.account_id = m.account_id
             ORDER BY a.start_date DESC, a.id DESC LIMIT 1) = %(centre)s
     ORDER BY m.ref
     LIMIT %(limit)s
       FOR UPDATE OF m SKIP LOCKED
"""

# ref, recipient, whether the bill reached somebody or is printed for one who wants paper as well, contact point.
PICK_PAPER = """
    SELECT m.ref, m.recipient,
           EXISTS (SELECT FROM notifications_reach r WHERE r.period = %(period)s AND r.ref = m.ref)
           OR EXISTS (SELECT FROM customers_preference p JOIN notifications_delivery d ON d.account_id = p.account_id
                       WHERE p.account_id = m.account_id AND p.wants_paper AND d.period = %(period)s
                         AND d.kind = %(kind)s AND d.ref = m.ref AND d.recipient = m.recipient AND d.channel = 4
                         AND d.state IN (1, 2, 3)), NULL
      FROM notifications_message m
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.channel = %(channel)s AND m.state = 0
       AND (SELECT p.service_centre_id
              FROM customers_agreement a JOIN metering_usagepoint p ON p.id = a.usage_point_id
             WHERE a.account_id = m.account_id
             ORDER BY a.start_date DESC, a.id DESC LIMIT 1) = %(centre)s
     ORDER BY m.ref, m.recipient
     LIMIT %(limit)s
       FOR UPDATE OF m SKIP LOCKED
"""
PICK_CALL = """
    SELECT m.ref, m.recipient,
           EXISTS (SELECT FROM notifications_reach r
                    WHERE r.period = %(period)s AND r.ref = m.ref AND r.kind = m.kind),
           (SELECT c.id FROM customers_contactpoint c
             WHERE c.account_id = m.account_id AND c.recipient = m.recipient AND c.channel IN (1, 2)
               AND c.is_active AND c.verified_at IS NOT NULL
             ORDER BY c.channel, c.verified_at DESC, c.id DESC LIMIT 1)
      FROM notifications_message m
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.channel = %(channel)s AND m.state = 0
     ORDER BY m.ref, m.recipient
     LIMIT %(limit)s
       FOR UPDATE OF m SKIP LOCKED
"""

TAKE = """
    WITH taken AS (
        SELECT * FROM unnest(%(refs)s::bigint[], %(recipients)s::smallint[], %(contacts)s::bigint[])
               AS t (ref, recipient, contact_point_id)
    ), moved AS (
        UPDATE notifications_message m SET state = %(SENDING)s, next_at = NULL
          FROM taken t
         WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = t.ref AND m.recipient = t.recipient
        RETURNING m.ref, m.recipient, m.account_id
    )
    INSERT INTO notifications_delivery (period, kind, ref, recipient, channel, attempt, state, account_id,
                                        contact_point_id, provider, worker, claimed_at, provider_ref)
    SELECT %(period)s, %(kind)s, ref, recipient, %(channel)s,
           1 + coalesce((SELECT max(d.attempt) FROM notifications_delivery d
                          WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = moved.ref
                            AND d.recipient = moved.recipient AND d.channel = %(channel)s), 0),
           %(SENDING)s, account_id, contact_point_id, NULL, %(sheet)s, %(now)s, %(sheet)s
      FROM moved JOIN taken USING (ref, recipient)
"""

# The message goes on in its plan meanwhile.
TAKE_BESIDE = """
    INSERT INTO notifications_delivery (period, kind, ref, recipient, channel, attempt, state, account_id,
                                        provider, worker, claimed_at, provider_ref)
    SELECT %(period)s, %(kind)s, m.ref, 0, %(channel)s, 1, %(SENDING)s, m.account_id, NULL, %(sheet)s, %(now)s,
           %(sheet)s
      FROM notifications_message m
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = ANY(%(refs)s) AND m.recipient = 0
"""

SETTLE = """
    UPDATE notifications_delivery d
       SET state = r.state, reason = r.reason, settled_at = %(now)s,
           received_at = CASE WHEN r.state = %(DELIVERED)s THEN %(now)s::timestamptz ELSE d.received_at END
      FROM unnest(%(kinds)s::smallint[], %(refs)s::bigint[], %(recipients)s::smallint[], %(states)s::smallint[],
                  %(reasons)s::text[]) AS r (kind, ref, recipient, state, reason)
     WHERE d.period = %(period)s AND d.provider_ref = %(sheet)s AND d.provider IS NULL
       AND d.channel = %(channel)s AND d.kind = r.kind AND d.ref = r.ref AND d.recipient = r.recipient
       AND d.state = ANY(%(open)s) AND d.state <> r.state
    RETURNING d.kind, d.ref, d.recipient, d.account_id, d.state, d.attempt, d.contact_point_id
"""
SUCCEED = """
    UPDATE notifications_message m SET state = r.state, next_at = r.next_at
      FROM unnest(%(kinds)s::smallint[], %(refs)s::bigint[], %(recipients)s::smallint[], %(states)s::smallint[],
                  %(nexts)s::timestamptz[]) AS r (kind, ref, recipient, state, next_at)
     WHERE m.period = %(period)s AND m.kind = r.kind AND m.ref = r.ref AND m.recipient = r.recipient
"""
REACHED_MEANWHILE = """
    UPDATE notifications_message m SET state = %(DELIVERED)s, next_at = NULL
      FROM notifications_reach r
      JOIN unnest(%(refs)s::bigint[], %(recipients)s::smallint[]) AS k (ref, recipient) USING (ref, recipient)
     WHERE r.period = %(period)s AND r.kind = %(kind)s
       AND m.period = %(period)s AND m.kind = %(kind)s AND m.ref = r.ref AND m.recipient = r.recipient
       AND m.state = ANY(%(open)s)
"""
STILL_HERE = """
    SELECT ref, recipient FROM notifications_message m
      JOIN unnest(%(refs)s::bigint[], %(recipients)s::smallint[]) AS k (ref, recipient) USING (ref, recipient)
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.channel = %(channel)s AND m.state = ANY(%(open)s)
"""
DEFER = """
    UPDATE notifications_message SET state = %(DEFERRED)s, next_at = %(next_at)s
     WHERE period = %(period)s AND kind = %(kind)s AND ref = %(ref)s AND recipient = %(recipient)s AND state = 1
"""
GIVE_BACK = """
    WITH gone AS (
        DELETE FROM notifications_delivery d
         WHERE d.period = %(period)s AND d.provider_ref = %(sheet)s AND d.provider IS NULL AND d.state = 1
        RETURNING d.kind, d.ref, d.recipient
    )
    UPDATE notifications_message m SET state = 0
      FROM gone
     WHERE m.period = %(period)s AND m.kind = gone.kind AND m.ref = gone.ref AND m.recipient = gone.recipient
       AND m.channel = %(channel)s AND m.state = 1
"""
