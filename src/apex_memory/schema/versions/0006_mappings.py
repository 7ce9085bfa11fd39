"""The feeds in; how tenants want the records of sources of their own mapped, out."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE mapping (
            tenant_id    text        NOT NULL,
            source       text        NOT NULL,
            mapping      jsonb       NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, source)
        );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE mapping")
