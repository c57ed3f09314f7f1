"""The Great Expectations suites. The only module that imports great_expectations (6 to 10 s): import it late.

Belongs here: expectations about the data's shape and ranges. Rules that must block a run are SQL, in ``checks``.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe

from barton_pipeline.barton_ids import PATTERNS, Entity
from barton_pipeline.postgres.connection import database_url

# Rows that came or were edited since the run have open events: the run of these is followed by another check.
QUERIES = {
    "intake": """
        SELECT id, company, website, validated, cardinality(validation_reasons) AS reasons, domain, company_name_key,
               employee_count, founded, phone, linkedin_url
        FROM intake.company_raw_intake WHERE import_batch_id = '{batch}'
          AND (validated IS NOT NULL OR NOT EXISTS (
              SELECT FROM marketing.pipeline_events e
              WHERE e.import_batch_id = '{batch}' AND e.status IN ('pending', 'processing')))
    """,
    "master": """
        SELECT c.company_unique_id, c.company_name, c.website_url, c.domain, c.company_name_key, c.employee_count,
               c.founded_year, c.phone, c.linkedin_url, c.data_quality_score
        FROM marketing.company_master c JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = '{batch}'
    """,
}


@dataclass(frozen=True)
class Outcome:
    """Verdict of one suite: ``details`` is one entry per expectation, with sample rows where it failed."""

    passed: bool
    summary: str
    details: dict[str, Any]


def _suite(name: str) -> list[Any]:
    if name == "intake":
        return [
            gxe.ExpectColumnValuesToBeUnique(column="id"),
            gxe.ExpectColumnValuesToNotBeNull(column="validated"),
            gxe.ExpectColumnValuesToBeBetween(column="employee_count", min_value=1, max_value=10_000_000),
            gxe.ExpectColumnValuesToBeBetween(column="founded", min_value=1000, max_value=2100),
            gxe.ExpectColumnValuesToMatchRegex(column="domain", regex=r"^[^/:@ ]+\.[^/:@ .]+$"),
            gxe.ExpectColumnValuesToMatchRegex(column="phone", regex=r"^\+?[0-9]{7,15}$"),
            gxe.ExpectColumnValuesToMatchRegex(column="linkedin_url", regex=r"linkedin\.com/"),
        ]
    return [
        gxe.ExpectColumnValuesToBeUnique(column="company_unique_id"),
        gxe.ExpectColumnValuesToMatchRegex(column="company_unique_id", regex=PATTERNS[Entity.COMPANY]),
        gxe.ExpectColumnValuesToNotBeNull(column="company_name"),
        gxe.ExpectColumnValueLengthsToBeBetween(column="company_name", min_value=2),
        gxe.ExpectColumnValuesToNotBeNull(column="domain"),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["domain", "company_name_key"]),
        gxe.ExpectColumnValuesToBeBetween(column="data_quality_score", min_value=0, max_value=100),
        gxe.ExpectColumnValuesToBeBetween(column="employee_count", min_value=1, max_value=10_000_000),
        gxe.ExpectColumnValuesToMatchRegex(column="phone", regex=r"^\+?[0-9]{7,15}$"),
    ]


def validate(suite: str, import_batch_id: str) -> Outcome:
    """Run a suite (``intake`` or ``master``) on one batch, in the database."""
    context = gx.get_context(mode="ephemeral")
    progress: Any = {"globally": False, "metric_calculations": False}
    context.variables.progress_bars = progress
    # a batch key holds letters, digits, '.', '_' and '-' only (batch_keys), so it may stand in the query
    source = context.data_sources.add_sql(f"barton_{uuid.uuid4().hex}", connection_string=database_url())
    asset = source.add_query_asset("rows", query=QUERIES[suite].format(batch=import_batch_id))
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    expectations = gx.ExpectationSuite(name=suite, expectations=_suite(suite))
    report = batch.validate(expectations, result_format="SUMMARY")
    results = [_explain(result) for result in report.results]
    failed = [result for result in results if not result["passed"]]
    summary = f"{len(results) - len(failed)} of {len(results)} expectations hold for batch {import_batch_id}"
    if failed:
        first = failed[0]
        summary += (
            f". Not met: {', '.join(result['expectation'] for result in failed)}. "
            f"Sample values: {first['unexpected']}. Correct the rows and materialize the asset again."
        )
    return Outcome(not failed, summary, {"results": results})


def _explain(result: Any) -> dict[str, Any]:
    configuration = result.expectation_config
    column = configuration.kwargs.get("column") or configuration.kwargs.get("column_list") or "table"
    return {
        "expectation": f"{configuration.type}({column})",
        "passed": bool(result.success),
        "unexpected_count": result.result.get("unexpected_count", 0),
        "unexpected": [str(value) for value in result.result.get("partial_unexpected_list", [])[:10]],
        "error": str(result.exception_info.get("exception_message") or "") if not result.success else "",
    }
