"""The webhooks in; the credentials with which sources' own APIs are asked, out."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE connection (
            tenant_id    text        NOT NULL,
            source       text        NOT NULL,
            base_url     text        NOT NULL,
            sealed       bytea       NOT NULL,           -- the credentials, as JSON
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, source)
        );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE connection")
