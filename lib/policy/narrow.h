/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the comparison of two policies share: who is compared with whom, and what was
 * found. The comparison ends with its first finding.
 */
#ifndef LAZ_POLICY_NARROW_H
#define LAZ_POLICY_NARROW_H

#include "policy/policy.h"

/* The first thing that the child adds to the parent. */
struct laz_widening {
    char key[LAZ_NAME_LENGTH_MAX]; /* "filesystem.write" */
    char value[LAZ_NAME_LENGTH_MAX * 2];
    struct laz_pos child_pos;
    struct laz_pos parent_pos; /* line 0: the parent does not mention it */
    bool is_less;              /* not more than is allowed, but less than is required */
};

struct laz_comparison {
    const struct laz_policy *child;
    const struct laz_policy *parent;
    struct laz_widening *found;
};

/* Notes a widening; always true. */
bool laz_comparison_note(
        const struct laz_comparison *comparison, const char *key, const char *value);

/* narrow_calls.c: the same for one system call; the key to blame, or NULL. */
const char *laz_decision_find_widening(const struct laz_decision *child,
        const struct laz_decision *parent, struct laz_pos *ret_child_pos,
        struct laz_pos *ret_parent_pos);
/* narrow_shipping.c: what of the parent's records the child would lose or show. */
bool laz_shipping_find_widening(const struct laz_comparison *comparison);
/* narrow_sense.c: what the child would no longer see. */
bool laz_sense_find_widening(const struct laz_comparison *comparison);
/* narrow_plain.c: what clear text the child would let go. */
bool laz_plain_find_widening(const struct laz_comparison *comparison);
/* narrow_secrets.c: what the child would fetch, or show, that the parent does not; and what the
 * parent wants fetched in another way. */
bool laz_identities_find_widening(const struct laz_comparison *comparison);
bool laz_secrets_find_widening(const struct laz_comparison *comparison);
/* narrow_volumes.c: what of the parent's volumes need not be encrypted any more. */
bool laz_volumes_find_widening(const struct laz_comparison *comparison);
/* narrow_tls.c: with whom, and how weakly, the child would speak TLS. */
bool laz_tls_find_widening(const struct laz_comparison *comparison);
/* narrow_tunnel.c: where else the child would connect to, or listen. */
bool laz_tunnel_find_widening(const struct laz_comparison *comparison);
/* narrow_health.c: what the child would ask less, or show more. */
bool laz_health_find_widening(const struct laz_comparison *comparison);
/* narrow_host.c: what the child would let the host do, or let through, that the parent does not. */
bool laz_host_find_widening(const struct laz_comparison *comparison);
/* Does the child allow what the parent refuses? If so, the first of it. Environment, cwd, name,
 * signals, exit map, shutdown and tests are no permissions and are not compared. Clauses are
 * compared by form: a widening may be found in two policies that are equal for a reason that only
 * arithmetic shows, never the reverse. */
bool laz_policy_find_widening(
        const struct laz_policy *child, const struct laz_policy *parent, struct laz_widening *ret);

#endif
