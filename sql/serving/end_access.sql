-- End all access of a person at once.
UPDATE affect.people SET active = false
WHERE people.login = :login AND people.active;
