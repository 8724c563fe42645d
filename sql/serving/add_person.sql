-- Add a person, or change what they may see.
INSERT INTO affect.people (login, display_name, role, clinics, sees)
VALUES (:login, :display_name, :role, :clinics, :sees)
ON CONFLICT (login) DO UPDATE
    SET
        display_name = excluded.display_name,
        role = excluded.role,
        clinics = excluded.clinics,
        sees = excluded.sees,
        active = true;
