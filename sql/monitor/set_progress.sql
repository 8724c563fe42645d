-- Say how far the charts of a model version have come, and where its states are.
INSERT INTO affect.monitor_progress (model_digest, first_night, through_night, rules, side)
VALUES (:model_digest, :first_night, :through_night, :rules, :side)
ON CONFLICT (model_digest) DO UPDATE SET
    first_night = excluded.first_night,
    through_night = excluded.through_night,
    rules = excluded.rules,
    side = excluded.side;
