-- The types are looked up for the rows that are shown: sorting them for all companies would double the time.
CREATE OR REPLACE VIEW marketing.v_bit_surge AS
SELECT
    s.company_id,
    c.company_name,
    s.signals_21_days,
    s.signals_84_days_before,
    s.usual_21_days,
    round(s.signals_21_days / greatest(s.usual_21_days, 1), 2) AS surge,
    ARRAY(
        SELECT DISTINCT b.signal_type
        FROM marketing.bit_signals b
        WHERE b.company_id = s.company_id
            AND b.signal_timestamp > now() - interval '21 days'
            AND b.signal_timestamp <= now()
            AND b.observed_at <= now()
            AND b.signal_type <> 'email_open'
        ORDER BY 1
    ) AS signal_types,
    s.last_signal_at
FROM (
    SELECT
        company_id,
        count(*) FILTER (WHERE recent) AS signals_21_days,
        count(*) FILTER (WHERE NOT recent) AS signals_84_days_before,
        round(count(*) FILTER (WHERE NOT recent) / 4.0, 2) AS usual_21_days,
        max(signal_timestamp) AS last_signal_at
    FROM (
        SELECT
            company_id,
            signal_timestamp,
            signal_timestamp > now() - interval '21 days' AS recent
        FROM marketing.bit_signals
        WHERE signal_timestamp > now() - interval '105 days'
            AND signal_timestamp <= now()
            AND observed_at <= now()
            AND signal_type <> 'email_open'
    ) AS counted
    GROUP BY company_id
) AS s
JOIN marketing.company_master c ON c.company_unique_id = s.company_id
WHERE s.signals_21_days > greatest(s.usual_21_days, 1)
ORDER BY surge DESC, s.signals_21_days DESC, s.company_id;
COMMENT ON VIEW marketing.v_bit_surge IS
'Companies with more signals in the last 21 days than usual: the mean of the four 21-day periods before; e-mail '
'opens left out';
COMMENT ON COLUMN marketing.v_bit_surge.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.v_bit_surge.company_name IS 'company_master.company_name, as the export wrote it';
COMMENT ON COLUMN marketing.v_bit_surge.signals_21_days IS 'How many signals in the last 21 days, now included';
COMMENT ON COLUMN marketing.v_bit_surge.signals_84_days_before IS 'How many in the 84 days before those';
COMMENT ON COLUMN marketing.v_bit_surge.usual_21_days IS 'A quarter of those';
COMMENT ON COLUMN marketing.v_bit_surge.surge IS 'Recent signals over the usual number, of which at least 1 is assumed';
COMMENT ON COLUMN marketing.v_bit_surge.signal_types IS 'Types of the recent ones';
COMMENT ON COLUMN marketing.v_bit_surge.last_signal_at IS 'Newest signal';
