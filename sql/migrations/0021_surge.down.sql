CREATE OR REPLACE VIEW marketing.v_bit_surge AS
SELECT s.company_id, c.company_name, s.signals_21_days, s.signals_84_days_before, s.usual_21_days,
       round(s.signals_21_days / greatest(s.usual_21_days, 1), 2) AS surge, s.signal_types, s.last_signal_at
FROM (SELECT company_id, count(*) FILTER (WHERE recent) AS signals_21_days, count(*) FILTER (WHERE NOT recent) AS signals_84_days_before,
             round(count(*) FILTER (WHERE NOT recent) / 4.0, 2) AS usual_21_days,
             array_agg(DISTINCT signal_type) FILTER (WHERE recent) AS signal_types, max(signal_timestamp) AS last_signal_at
      FROM (SELECT company_id, signal_type, signal_timestamp, signal_timestamp > now() - interval '21 days' AS recent
            FROM marketing.bit_signals
            WHERE signal_timestamp > now() - interval '105 days' AND signal_timestamp <= now() AND observed_at <= now()
              AND signal_type <> 'email_open') AS counted
      GROUP BY company_id) AS s
JOIN marketing.company_master c ON c.company_unique_id = s.company_id
WHERE s.signals_21_days > greatest(s.usual_21_days, 1)
ORDER BY surge DESC, s.signals_21_days DESC, s.company_id;
