"""Alembic's configuration in, migrations run against PostgreSQL or printed as SQL."""

from alembic import context
from sqlalchemy import create_engine, make_url, pool, text

from apex_memory.settings import load_settings

# Two starting processes may migrate at once: the second waits here and finds nothing left to do.
_MIGRATION_LOCK = 0x41504558


def _print_sql() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def _migrate() -> None:
    raw = context.config.attributes.get("postgres_url") or load_settings().postgres_url
    url = make_url(raw).set(drivername="postgresql+psycopg")
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            context.run_migrations()


if context.is_offline_mode():
    _print_sql()
else:
    _migrate()
