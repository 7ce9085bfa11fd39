"""An empty database in; inbox, ledger, canonical content and outbox out."""

from alembic import op

revision = "0001"
down_revision = None

# Tenant first in every primary and unique key: no key can tell one tenant what another holds.

_ACCESS = """
CREATE TABLE api_key (
    tenant_id    text        NOT NULL,
    key_id       text        NOT NULL,
    secret_hash  bytea       NOT NULL,
    label        text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);
-- A caller's key is all that is known of them: the lookup that decides the tenant cannot start with it.
CREATE INDEX api_key_by_id ON api_key (key_id);

-- One row: vectors of two embedders must never meet.
CREATE TABLE embedding_space (
    only_one     boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    embedder_id  text        NOT NULL,
    dim          integer     NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
"""

_INBOX = """
CREATE TABLE inbox_event (
    tenant_id    text        NOT NULL,
    event_id     uuid        NOT NULL,
    source       text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('record', 'document')),
    dedupe_key   text        NOT NULL,
    label        text        NOT NULL,
    body         bytea       NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    batch_id     uuid,
    outcome      text CHECK (outcome IN ('committed', 'unchanged', 'superseded', 'aborted', 'quarantined')),
    reason       text,
    item_id      uuid,
    version      integer,
    commit_seq   bigint,
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, event_id),
    UNIQUE (tenant_id, source, dedupe_key)
);
CREATE INDEX inbox_event_waiting ON inbox_event (tenant_id, source, kind, received_at) WHERE batch_id IS NULL;
CREATE INDEX inbox_event_by_batch ON inbox_event (tenant_id, batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE batch (
    tenant_id    text        NOT NULL,
    batch_id     uuid        NOT NULL,
    source       text        NOT NULL,
    kind         text        NOT NULL,
    label        text        NOT NULL,
    size         integer     NOT NULL,
    workflow_id  text,
    claimed_at   timestamptz NOT NULL DEFAULT now(),
    closed_at    timestamptz,
    PRIMARY KEY (tenant_id, batch_id)
);
CREATE INDEX batch_open ON batch (tenant_id, source, kind) WHERE closed_at IS NULL;
CREATE INDEX batch_not_started ON batch (claimed_at) WHERE workflow_id IS NULL AND closed_at IS NULL;
"""

_LEDGER = """
CREATE TABLE tenant_clock (
    tenant_id    text   PRIMARY KEY,
    seq          bigint NOT NULL DEFAULT 0
);

CREATE TABLE item_head (
    tenant_id      text    NOT NULL,
    item_id        uuid    NOT NULL,
    source         text    NOT NULL,
    external_id    text    NOT NULL,
    kind           text    NOT NULL,
    next_version   integer NOT NULL DEFAULT 1,
    committed      integer NOT NULL DEFAULT 0,   -- the version that readers see; 0: none
    last_committed integer NOT NULL DEFAULT 0,   -- the highest that ever committed, late history included
    tombstone      integer NOT NULL DEFAULT 0,   -- nothing allocated up to here can ever commit
    as_of          timestamptz,
    content_hash   text,
    PRIMARY KEY (tenant_id, item_id)
);

CREATE TABLE item_version (
    tenant_id       text        NOT NULL,
    item_id         uuid        NOT NULL,
    version         integer     NOT NULL,
    state           text        NOT NULL DEFAULT 'preparing'
                    CHECK (state IN ('preparing', 'committed', 'aborted')),
    request_id      text        NOT NULL,
    event_id        uuid        NOT NULL,
    batch_id        uuid        NOT NULL,
    title           text        NOT NULL,
    content_hash    text        NOT NULL,
    as_of           timestamptz NOT NULL,
    manifests       jsonb,
    commit_seq      bigint,
    superseded_seq  bigint,
    cleanup_pending boolean     NOT NULL DEFAULT false,
    reason          text,
    allocated_at    timestamptz NOT NULL DEFAULT now(),
    decided_at      timestamptz,
    PRIMARY KEY (tenant_id, item_id, version),
    UNIQUE (tenant_id, request_id),
    CHECK ((state = 'committed') = (commit_seq IS NOT NULL)),
    CHECK (superseded_seq IS NULL OR superseded_seq >= commit_seq)
);
CREATE INDEX item_version_by_batch ON item_version (tenant_id, batch_id);
CREATE INDEX item_version_preparing ON item_version (tenant_id, allocated_at) WHERE state = 'preparing';
CREATE INDEX item_version_cleanup ON item_version (tenant_id, decided_at) WHERE cleanup_pending;

CREATE TABLE outbox (
    tenant_id    text        NOT NULL,
    outbox_id    bigint      GENERATED ALWAYS AS IDENTITY,
    item_id      uuid        NOT NULL,
    version      integer     NOT NULL,
    commit_seq   bigint      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, outbox_id)
);
CREATE INDEX outbox_in_order ON outbox (outbox_id);
"""

_CONTENT = """
CREATE EXTENSION IF NOT EXISTS btree_gin;

CREATE TABLE chunk (
    tenant_id    text    NOT NULL,
    chunk_id     uuid    NOT NULL,
    item_id      uuid    NOT NULL,
    version      integer NOT NULL,
    ordinal      integer NOT NULL,
    header       text    NOT NULL,
    text         text    NOT NULL,
    heading_path jsonb   NOT NULL,
    start_offset integer NOT NULL,
    end_offset   integer NOT NULL,
    page         integer,
    embedder_id  text    NOT NULL,
    vector       bytea   NOT NULL,              -- float32, little-endian: Qdrant is rebuilt from it
    terms        tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', header), 'A') || to_tsvector('english', text)) STORED,
    PRIMARY KEY (tenant_id, chunk_id)
);
CREATE INDEX chunk_by_version ON chunk (tenant_id, item_id, version);
CREATE INDEX chunk_terms ON chunk USING gin (tenant_id, terms);

CREATE TABLE entity (
    tenant_id    text NOT NULL,
    entity_id    uuid NOT NULL,
    type         text NOT NULL,
    key          text NOT NULL,
    PRIMARY KEY (tenant_id, entity_id),
    UNIQUE (tenant_id, type, key)
);
CREATE INDEX entity_by_key ON entity (tenant_id, key);

CREATE TABLE mention (
    tenant_id    text    NOT NULL,
    mention_id   uuid    NOT NULL,
    item_id      uuid    NOT NULL,
    version      integer NOT NULL,
    entity_id    uuid    NOT NULL,
    name         text    NOT NULL,
    PRIMARY KEY (tenant_id, mention_id)
);
CREATE INDEX mention_by_version ON mention (tenant_id, item_id, version);
CREATE INDEX mention_by_entity ON mention (tenant_id, entity_id);

CREATE TABLE claim (
    tenant_id    text        NOT NULL,
    claim_id     uuid        NOT NULL,
    item_id      uuid        NOT NULL,
    version      integer     NOT NULL,
    subject_id   uuid        NOT NULL,
    predicate    text        NOT NULL,
    object_id    uuid,
    value        text,
    fact         text        NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,
    confidence   real        NOT NULL,
    passage      integer,
    PRIMARY KEY (tenant_id, claim_id),
    CHECK ((object_id IS NULL) <> (value IS NULL))
);
CREATE INDEX claim_by_version ON claim (tenant_id, item_id, version);
CREATE INDEX claim_by_subject ON claim (tenant_id, subject_id, predicate, valid_from);
CREATE INDEX claim_by_object ON claim (tenant_id, object_id) WHERE object_id IS NOT NULL;

CREATE TABLE sample (
    tenant_id    text             NOT NULL,
    sample_id    uuid             NOT NULL,
    item_id      uuid             NOT NULL,
    version      integer          NOT NULL,
    entity_id    uuid             NOT NULL,
    metric       text             NOT NULL,
    at           timestamptz      NOT NULL,
    value        double precision NOT NULL,
    PRIMARY KEY (tenant_id, sample_id, at)
) PARTITION BY RANGE (at);
CREATE INDEX sample_by_version ON sample (tenant_id, item_id, version);
CREATE INDEX sample_by_entity ON sample (tenant_id, entity_id, metric, at);
CREATE TABLE sample_other PARTITION OF sample DEFAULT;
"""

# A year a partition keeps the planner quick and a year's telemetry droppable; the rest lands in sample_other.
_FIRST_YEAR, _LAST_YEAR = 2024, 2031

_TABLES = (
    "sample",
    "claim",
    "mention",
    "entity",
    "chunk",
    "outbox",
    "item_version",
    "item_head",
    "tenant_clock",
    "batch",
    "inbox_event",
    "embedding_space",
    "api_key",
)


def upgrade() -> None:
    for part in (_ACCESS, _INBOX, _LEDGER, _CONTENT):
        op.execute(part)
    for year in range(_FIRST_YEAR, _LAST_YEAR + 1):
        op.execute(
            f"CREATE TABLE sample_{year} PARTITION OF sample "
            f"FOR VALUES FROM ('{year}-01-01T00:00:00Z') TO ('{year + 1}-01-01T00:00:00Z')"
        )


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
