"""The first path's schema in; tombstones, derived items, what the upkeep needs and receipts out."""

from alembic import op

revision = "0002"
down_revision = "0001"

_LEDGER = """
ALTER TABLE item_version
    ADD COLUMN tombstone      boolean NOT NULL DEFAULT false,  -- the item is gone; it has no content
    ADD COLUMN parent_item    uuid,                            -- derived from exactly this version
    ADD COLUMN parent_version integer,
    ADD COLUMN superseded_at  timestamptz,                     -- by PostgreSQL's clock, the only one
    ADD COLUMN collected_at   timestamptz,                     -- no store holds anything of it any more
    ADD CHECK ((parent_item IS NULL) = (parent_version IS NULL));
UPDATE item_version SET superseded_at = now() WHERE superseded_seq IS NOT NULL;

CREATE INDEX item_version_superseded ON item_version (tenant_id, superseded_at)
    WHERE superseded_seq IS NOT NULL AND collected_at IS NULL;
CREATE INDEX item_version_live ON item_version (tenant_id, item_id, version)
    WHERE state = 'committed' AND superseded_seq IS NULL;
CREATE INDEX item_version_by_parent ON item_version (tenant_id, parent_item, parent_version)
    WHERE parent_item IS NOT NULL;
CREATE INDEX batch_open_since ON batch (claimed_at) WHERE closed_at IS NULL;
"""

# A store that is rebuilt from here must get what it was first given, to the last bit.
_CONTENT = "ALTER TABLE claim ALTER COLUMN confidence TYPE double precision;"

_RECEIPTS = """
CREATE TABLE forgetting (
    tenant_id     text        NOT NULL,
    forget_id     uuid        NOT NULL,
    item_id       uuid        NOT NULL,
    reason        text        NOT NULL,
    seq           bigint      NOT NULL,         -- from this commit on nobody reads it
    requested_at  timestamptz NOT NULL DEFAULT now(),
    workflow_id   text,                         -- NULL: the relay has yet to start it
    first_count   jsonb,                        -- what each place held after the erasure
    second_count  jsonb,                        -- and again after the zombie window
    completed_at  timestamptz,
    PRIMARY KEY (tenant_id, forget_id)
);
CREATE INDEX forgetting_by_item ON forgetting (tenant_id, item_id);
CREATE INDEX forgetting_not_started ON forgetting (requested_at) WHERE workflow_id IS NULL;

-- A deletion finds the item's events by its name and by its id. Hashed: a name may be too long for an index.
CREATE INDEX inbox_event_by_label ON inbox_event (tenant_id, source, md5(label));
CREATE INDEX inbox_event_by_item ON inbox_event (tenant_id, item_id) WHERE item_id IS NOT NULL;

CREATE TABLE reconciliation (
    tenant_id     text        NOT NULL,
    store         text        NOT NULL,
    checked       bigint      NOT NULL,
    missing       bigint      NOT NULL,
    torn          bigint      NOT NULL,
    unknown       bigint      NOT NULL,
    mended        bigint      NOT NULL,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, store)
);
"""

_REBUILDS = """
CREATE TABLE rebuild (
    tenant_id     text        NOT NULL,
    store         text        NOT NULL,
    rebuild_id    uuid        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,                  -- NULL: readers are told that the store may lack something
    PRIMARY KEY (tenant_id, store, rebuild_id)
);
CREATE INDEX rebuild_under_way ON rebuild (tenant_id) WHERE finished_at IS NULL;
"""


def upgrade() -> None:
    for part in (_LEDGER, _CONTENT, _RECEIPTS, _REBUILDS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP INDEX inbox_event_by_label; DROP INDEX inbox_event_by_item;")
    op.execute("DROP TABLE rebuild; DROP TABLE reconciliation; DROP TABLE forgetting;")
    op.execute("ALTER TABLE claim ALTER COLUMN confidence TYPE real;")
    op.execute("""
        DROP INDEX batch_open_since;
        ALTER TABLE item_version DROP COLUMN tombstone, DROP COLUMN parent_item, DROP COLUMN parent_version,
            DROP COLUMN superseded_at, DROP COLUMN collected_at;
    """)
