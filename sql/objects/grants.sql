-- The roles, and what they may do.

-- Roles belong to the whole server, so several databases may share them. Where the deploying user may not create roles
-- (no CREATEROLE) they are skipped with a notice and everything runs as that user.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['barton_owner', 'barton_app', 'barton_readonly'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- two databases of one server may be migrated at the same moment
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % not created: % may not create roles', role_name, current_user;
            END;
        END IF;
    END LOOP;
END
$$;

-- Least privilege: barton_app works on rows and cannot change the schema; barton_readonly sees the views. A role that
-- is not there (the deploying user may not create roles) is passed over. Functions in marketing are closed to everybody
-- else beside their definition.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT USAGE ON SCHEMA intake, marketing TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA intake, marketing TO barton_app;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA marketing TO barton_app;
        -- what has the owner's rights and takes SQL or rows from its caller serves triggers only
        REVOKE EXECUTE ON FUNCTION
            marketing.count_processed_events(),
            marketing.note_companies_to_score(),
            marketing.raise_events(),
            marketing.record_id_history()
            FROM barton_app;

        -- work
        GRANT SELECT, INSERT, UPDATE, DELETE ON
            intake.company_raw_intake,
            intake.loaded_files,
            intake.outcomes_raw_intake,
            intake.people_raw_intake,
            intake.public_suffix,
            intake.rejected_rows,
            intake.separate_names,
            intake.shared_domains,
            intake.signals_raw_intake,
            marketing.alert_beats,
            marketing.alert_messages,
            marketing.alerts,
            marketing.batch_stages,
            marketing.bit_results,
            marketing.bit_signals,
            marketing.companies_to_score,
            marketing.company_aliases,
            marketing.company_batches,
            marketing.company_master,
            marketing.company_matches,
            marketing.company_slots,
            marketing.contact_enrichment,
            marketing.email_verification,
            marketing.event_days,
            marketing.known_ids,
            marketing.messages_outbound,
            marketing.outcomes,
            marketing.people_master,
            marketing.ple_results,
            marketing.ple_training_examples,
            marketing.sniper_targets,
            marketing.vendor_holds,
            marketing.vendor_switches,
            marketing.workflow_stats
            TO barton_app;
        -- what is never deleted
        GRANT SELECT, INSERT, UPDATE ON
            marketing.ple_models,
            marketing.suppressed_people,
            marketing.vendor_calls,
            marketing.vendor_requests
            TO barton_app;
        -- what keeps what it said: a run may change the state of an event and nothing else
        GRANT SELECT, INSERT ON
            marketing.actions,
            marketing.barton_id_history,
            marketing.operations,
            marketing.pipeline_errors,
            marketing.pipeline_events
            TO barton_app;
        GRANT UPDATE (ended_at, ended_by, details) ON marketing.operations TO barton_app;
        GRANT UPDATE (resolved, resolved_at, resolved_by, resolution_notes) ON marketing.pipeline_errors TO barton_app;
        GRANT UPDATE (status, attempts, crashes, available_at, lease_token, lease_until, claimed_by, error_message,
                      processed_at) ON marketing.pipeline_events TO barton_app;
        -- what the code and its files say
        GRANT SELECT ON
            marketing.event_routes,
            marketing.pipeline_stages,
            marketing.schema_migrations,
            marketing.schema_objects
            TO barton_app;
        -- views
        GRANT SELECT ON
            intake.batches,
            intake.companies_to_process,
            intake.company_facts,
            intake.outcomes_to_process,
            intake.people_to_process,
            intake.signals_to_process,
            marketing.company_answers,
            marketing.v_alerts,
            marketing.v_bit_surge,
            marketing.v_daily_throughput,
            marketing.v_error_recent,
            marketing.v_event_queue_status,
            marketing.v_phase_stats,
            marketing.v_sniper_target_details,
            marketing.v_sniper_targets,
            marketing.v_workflow_health,
            marketing.v_workflow_stats_hourly,
            marketing.v_workflow_stats_recent,
            marketing.v_workflow_summary,
            marketing.vw_error_rate_24h,
            marketing.vw_unresolved_errors
            TO barton_app;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT USAGE ON SCHEMA marketing TO barton_readonly;
        GRANT SELECT ON
            marketing.operations,
            marketing.v_alerts,
            marketing.v_bit_surge,
            marketing.v_daily_throughput,
            marketing.v_error_recent,
            marketing.v_event_queue_status,
            marketing.v_phase_stats,
            marketing.v_sniper_target_details,
            marketing.v_sniper_targets,
            marketing.v_workflow_health,
            marketing.v_workflow_stats_hourly,
            marketing.v_workflow_stats_recent,
            marketing.v_workflow_summary,
            marketing.vw_error_rate_24h,
            marketing.vw_unresolved_errors
            TO barton_readonly;
    END IF;
END
$$;
