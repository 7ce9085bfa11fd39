"""The connections in; feeds that are polled, with how far each has been read, out."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE feed (
            tenant_id      text        NOT NULL,
            source         text        NOT NULL,
            name           text        NOT NULL,           -- such as gps
            interval_s     integer     NOT NULL,
            cursor         text,                           -- NULL: nothing was read yet
            turn           bigint      NOT NULL DEFAULT 0, -- raised whenever the cursor is set: the fence
            points         bigint      NOT NULL DEFAULT 0,
            created_at     timestamptz NOT NULL DEFAULT now(),
            stopped_at     timestamptz,
            looked_at      timestamptz,                    -- by a relay; NULL: started just now
            last_polled_at timestamptz,
            last_error     text,
            PRIMARY KEY (tenant_id, source, name)
        );
        CREATE INDEX feed_wanted ON feed (looked_at) WHERE stopped_at IS NULL;

        -- A digest of the place and no text: whoever forgets an item need not look here.
        CREATE TABLE feed_last_known (
            tenant_id      text        NOT NULL,
            source         text        NOT NULL,
            name           text        NOT NULL,
            subject        text        NOT NULL,
            at             timestamptz NOT NULL,
            place          text        NOT NULL,
            PRIMARY KEY (tenant_id, source, name, subject)
        );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE feed_last_known; DROP TABLE feed")
