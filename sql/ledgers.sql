-- What barton migrate has applied: numbered migrations, which run once, and files that run again whenever they change.
CREATE SCHEMA IF NOT EXISTS marketing;

CREATE TABLE IF NOT EXISTS marketing.schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE marketing.schema_migrations IS 'Migrations that barton migrate has applied';
COMMENT ON COLUMN marketing.schema_migrations.version IS 'Number of the file';
COMMENT ON COLUMN marketing.schema_migrations.name IS 'Rest of the file''s name';
COMMENT ON COLUMN marketing.schema_migrations.checksum IS 'SHA-256 of the file as applied; an edited file is refused';
COMMENT ON COLUMN marketing.schema_migrations.applied_at IS 'When';
COMMENT ON COLUMN marketing.schema_migrations.applied_by IS 'Database user';

CREATE TABLE IF NOT EXISTS marketing.schema_objects (
    path text PRIMARY KEY,
    checksum text NOT NULL,
    makes text[] NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE marketing.schema_objects IS
'Files of sql/data and sql/objects that barton migrate has applied; each is applied again when it changes';
COMMENT ON COLUMN marketing.schema_objects.path IS 'The file, from the folder sql';
COMMENT ON COLUMN marketing.schema_objects.checksum IS 'SHA-256 of the file as applied';
COMMENT ON COLUMN marketing.schema_objects.makes IS
'Functions, triggers and views that the file makes; they are dropped when no file makes them any more';
COMMENT ON COLUMN marketing.schema_objects.applied_at IS 'When it was applied last';
COMMENT ON COLUMN marketing.schema_objects.applied_by IS 'Database user who did';
