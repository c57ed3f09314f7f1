"""BIT, PLE and the sniper list: the rules (``scoring.yaml``), the three stages, and the explanation of a score.

Belongs here: everything that turns facts into scores. The formulas are SQL (``sql/scoring``, ``sql/stages``), so that
the stages and ``explain`` share one definition. Not here: collecting the facts (intake, enrichment, verification).
"""
