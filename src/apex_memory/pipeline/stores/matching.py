"""A question in; which passages may answer it by their words, as the relation `q` of a statement, out."""

from typing import Final, LiteralString

#: Passages that are ranked: each is fetched and weighed, 7 ms for 1,000. Below it, all that match are.
RANKED_AT_MOST: Final = 1_000

# Any term may match: a question rarely repeats every word of its answer. But where a fleet says "truck" in a
# million passages, "truck 17" is looked for among those with "17", and ranked by both: the rarest terms are
# taken as long as their passages together are not too many. A term that occurs nowhere takes no part. If even
# the rarest is too common, all of them match.
Q: Final[LiteralString] = """
term AS MATERIALIZED (
    SELECT term, (SELECT count(*) FROM (
        SELECT FROM chunk AS c WHERE c.tenant_id = %(tenant)s AND c.terms @@ term::tsquery
        LIMIT %(ranked_at_most)s + 1) AS counted) AS chunks
    FROM unnest(string_to_array(plainto_tsquery('english', %(query)s)::text, ' & ')) AS term
), rarest AS (
    SELECT term, sum(chunks) OVER (ORDER BY chunks, term) AS chunks FROM term WHERE chunks > 0
), q AS MATERIALIZED (
    SELECT coalesce(string_agg(term, ' | ') FILTER (WHERE chunks <= %(ranked_at_most)s),
                    string_agg(term, ' | '))::tsquery AS matched,
           string_agg(term, ' | ')::tsquery AS terms
    FROM rarest
)
"""
