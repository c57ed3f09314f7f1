"""What a database's catalogue says of our two schemas, so that two databases can be compared word by word."""

from typing import Any


def privileges(acl: str) -> str:
    """SQL for privileges as they hold, whether they are written down or Postgres's defaults."""
    return f"""(SELECT string_agg(coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || ' ' || privilege_type, ', '
                                  ORDER BY grantee::regrole::text COLLATE "C", privilege_type) FROM aclexplode({acl}))"""


RELATION_PRIVILEGES = privileges("""coalesce(relacl, acldefault(translate(relkind, 'Sv', 'sr')::"char", relowner))""")
RELATIONS = "relnamespace::regnamespace::text IN ('intake', 'marketing')"
PARTS = {
    "schema": f"""
        SELECT nspname, jsonb_build_array(obj_description(oid), {privileges("coalesce(nspacl, acldefault('n', nspowner))")})
        FROM pg_namespace WHERE nspname IN ('intake', 'marketing')
    """,
    "relation": f"""
        SELECT oid::regclass::text, jsonb_build_array(relkind, obj_description(oid, 'pg_class'),
            CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) END,
            {RELATION_PRIVILEGES})
        FROM pg_class WHERE relkind IN ('r', 'v', 'S') AND {RELATIONS}
    """,
    "column": f"""
        SELECT attrelid::regclass || '.' || attname, jsonb_build_array(
            row_number() OVER (PARTITION BY attrelid ORDER BY attnum), format_type(atttypid, atttypmod), attnotnull,
            pg_get_expr(adbin, adrelid), attidentity, attgenerated, attcollation::regcollation, col_description(attrelid, attnum),
            {privileges("attacl")})
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
        WHERE relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped AND {RELATIONS}
    """,
    "sequence": f"""
        SELECT seqrelid::regclass::text, jsonb_build_array(seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
        FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE {RELATIONS}
    """,
    "constraint": f"""
        SELECT conrelid::regclass || ' ' || conname, jsonb_build_array(pg_get_constraintdef(o.oid), convalidated)
        FROM pg_constraint o JOIN pg_class c ON c.oid = conrelid WHERE {RELATIONS}
    """,
    "index": f"""
        SELECT indexrelid::regclass::text, jsonb_build_array(pg_get_indexdef(indexrelid), indisvalid)
        FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE {RELATIONS}
    """,
    "function": f"""
        SELECT oid::regprocedure::text, jsonb_build_array(pg_get_functiondef(oid), obj_description(oid, 'pg_proc'),
            {privileges("coalesce(proacl, acldefault('f', proowner))")})
        FROM pg_proc WHERE pronamespace::regnamespace::text IN ('intake', 'marketing')
    """,
    "trigger": f"""
        SELECT tgrelid::regclass || ' ' || tgname, jsonb_build_array(pg_get_triggerdef(t.oid), tgenabled)
        FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND {RELATIONS}
    """,
}


def catalogue(db: Any) -> dict[str, Any]:
    """Kind and name of everything in our schemas → all that Postgres knows of it, without numbers that differ by database."""
    return {f"{part} {name}": facts for part, statement in PARTS.items() for name, facts in db.query(statement)}
