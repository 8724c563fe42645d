-- Names the person of this transaction, and keeps a statement of theirs from running for ever.
SELECT
    set_config('affect.session', :token, true) IS NOT NULL AS is_set,
    set_config('statement_timeout', '60s', true) AS longest_statement;
