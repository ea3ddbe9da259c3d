# Sets the accounts of the bundled PostgreSQL from POSTGRES_PASSWORD, and OWNER_PASSWORD unless one account does everything.
set -eu
# Without the newline at the end of a file from which a Secret was made, which the workloads do not send either.
POSTGRES_PASSWORD=$(printf %s "$POSTGRES_PASSWORD")
OWNER_PASSWORD=$(printf %s "${OWNER_PASSWORD-}")
export POSTGRES_PASSWORD OWNER_PASSWORD

as() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname questbell --username "$@"; }

set_accounts() {
    superuser=postgres
    if ! as postgres --command 'SELECT' >/dev/null 2>&1; then
        # In a volume of an older release, the workloads' account is the superuser. A session cannot rename its own user.
        superuser=questbell_renaming
        as questbell --command "DROP ROLE IF EXISTS $superuser" --command "CREATE ROLE $superuser SUPERUSER LOGIN" || return
    fi
    as "$superuser" --set "owner=${OWNER_PASSWORD:+questbell_owner}" --file "${0%.sh}.sql" &&
        as postgres --command 'DROP ROLE IF EXISTS questbell_renaming'
}

# Over TCP, because while a new data directory is created, a temporary server answers at the socket.
until pg_isready --quiet --host localhost --username postgres; do sleep 0.2; done
# Changing the owner of all tables can meet a deadlock with a workload of the older release.
for _ in 1 2 3 4 5; do
    if set_accounts; then exit; fi
    sleep 1
done
exit 1
