-- Names the person of this transaction.
SELECT set_config('affect.session', :token, true) IS NOT NULL AS is_set;
