"""The PostgreSQL warehouse: server, migrations, bulk load, queries, content hash."""
