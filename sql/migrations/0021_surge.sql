-- Half the time: the types are looked up for the rows that are shown instead of sorted for all companies.
CREATE OR REPLACE VIEW marketing.v_bit_surge AS
SELECT s.company_id, c.company_name, s.signals_21_days, s.signals_84_days_before, s.usual_21_days,
       round(s.signals_21_days / greatest(s.usual_21_days, 1), 2) AS surge,
       ARRAY(SELECT DISTINCT b.signal_type FROM marketing.bit_signals b
             WHERE b.company_id = s.company_id AND b.signal_timestamp > now() - interval '21 days' AND b.signal_timestamp <= now()
               AND b.observed_at <= now() AND b.signal_type <> 'email_open' ORDER BY 1) AS signal_types, s.last_signal_at
FROM (SELECT company_id, count(*) FILTER (WHERE recent) AS signals_21_days, count(*) FILTER (WHERE NOT recent) AS signals_84_days_before,
             round(count(*) FILTER (WHERE NOT recent) / 4.0, 2) AS usual_21_days, max(signal_timestamp) AS last_signal_at
      FROM (SELECT company_id, signal_timestamp, signal_timestamp > now() - interval '21 days' AS recent
            FROM marketing.bit_signals
            WHERE signal_timestamp > now() - interval '105 days' AND signal_timestamp <= now() AND observed_at <= now()
              AND signal_type <> 'email_open') AS counted
      GROUP BY company_id) AS s
JOIN marketing.company_master c ON c.company_unique_id = s.company_id
WHERE s.signals_21_days > greatest(s.usual_21_days, 1)
ORDER BY surge DESC, s.signals_21_days DESC, s.company_id;
