-- Step bins: the bins of the scorecard, numbered in its order. docs/explanation/learning.md.
SELECT
    b.*,
    row_number() OVER () AS bin
FROM jsonb_to_recordset(%(scorecard)s::jsonb -> 'bins') AS b (
        feature text,
        lower float8,
        upper float8,
        word text,
        otherwise boolean,
        missing boolean,
        points float8,
        share float8
    );
