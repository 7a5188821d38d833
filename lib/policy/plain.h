/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about clear text: the ports to which none may go, and how much is
 * done about it.
 */
#ifndef LAZ_POLICY_PLAIN_H
#define LAZ_POLICY_PLAIN_H

#include "policy/strings.h"
#include "policy/vocabulary.h"

/* Ports by number, with where each was said. */
struct laz_port_list {
    size_t n;
    uint16_t *ports; /* owned, sorted, unique */
    struct laz_pos *pos;
    bool any;
    struct laz_pos any_pos; /* of the word "any" */
};

#define LAZ_PLAIN_LANDLOCK_ABI 4 /* the first that has rules for TCP ports */

struct laz_policy_plain {
    enum laz_plain mode; /* LAZ_PLAIN_UNSAID: nothing else counts */
    struct laz_port_list tls_only;
    struct laz_string_list allow; /* "169.254.170.2:80" */
};

/* May the workload reach this port in clear text at some address? */
bool laz_plain_allows_port(const struct laz_policy_plain *plain, uint16_t port);

#endif
