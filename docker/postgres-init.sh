#!/bin/bash
# Run once by the image of PostgreSQL, on an empty volume: Baton's own role and its database. The role is no superuser
# and may not pass row-level security, because the wall between businesses in the database stands only for such a one.
set -euo pipefail

# The password comes by \getenv, so that it stands in no list of processes.
psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "${POSTGRES_DB:-$POSTGRES_USER}" <<'SQL'
\getenv password DATABASE_PASSWORD
CREATE ROLE baton LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
CREATE DATABASE baton OWNER baton TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE baton FROM PUBLIC;
SQL
