"""The inbox in; webhook endpoints with their secrets, and deliveries that end where they arrive, out."""

from alembic import op

revision = "0003"
down_revision = "0002"

_ENDPOINTS = """
CREATE TABLE hook_endpoint (
    tenant_id    text        NOT NULL,
    endpoint_id  text        NOT NULL,
    source       text        NOT NULL,
    scheme       text        NOT NULL,
    rule         jsonb,                         -- of the scheme `hmac`
    label        text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    disabled_at  timestamptz,
    PRIMARY KEY (tenant_id, endpoint_id)
);
-- A sender knows only the endpoint: the lookup that decides the tenant cannot start with it.
CREATE INDEX hook_endpoint_by_id ON hook_endpoint (endpoint_id);

CREATE TABLE hook_secret (
    tenant_id    text        NOT NULL,
    endpoint_id  text        NOT NULL,
    secret_id    uuid        NOT NULL,
    sealed       bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    not_after    timestamptz,                   -- NULL: until the next rotation
    PRIMARY KEY (tenant_id, endpoint_id, secret_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES hook_endpoint ON DELETE CASCADE
);
"""

_DELIVERIES = """
ALTER TABLE inbox_event
    ADD COLUMN endpoint_id text,
    ADD COLUMN secret_id   uuid,                -- the secret that it was signed with
    ADD COLUMN headers     jsonb,
    ADD COLUMN replay_of   uuid,
    ADD COLUMN deliveries  integer NOT NULL DEFAULT 1;
CREATE INDEX inbox_event_by_endpoint ON inbox_event (tenant_id, endpoint_id, received_at)
    WHERE endpoint_id IS NOT NULL;

-- A dead letter has an outcome and never a batch.
DROP INDEX inbox_event_waiting;
CREATE INDEX inbox_event_waiting ON inbox_event (tenant_id, source, kind, received_at)
    WHERE batch_id IS NULL AND outcome IS NULL;
"""


def upgrade() -> None:
    op.execute(_ENDPOINTS)
    op.execute(_DELIVERIES)


def downgrade() -> None:
    op.execute("""
        DROP INDEX inbox_event_waiting;
        CREATE INDEX inbox_event_waiting ON inbox_event (tenant_id, source, kind, received_at)
            WHERE batch_id IS NULL;
        DROP INDEX inbox_event_by_endpoint;
        ALTER TABLE inbox_event DROP COLUMN endpoint_id, DROP COLUMN secret_id, DROP COLUMN headers,
            DROP COLUMN replay_of, DROP COLUMN deliveries;
        DROP TABLE hook_secret; DROP TABLE hook_endpoint;
    """)
