/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of strings, each with the place in the policy that said it. Plain data; it lives in the
 * policy's memory.
 */
#ifndef LAZ_POLICY_STRINGS_H
#define LAZ_POLICY_STRINGS_H

#include "policy/diagnostic.h"

struct laz_string_list {
    size_t n;
    char **items;        /* owned */
    struct laz_pos *pos; /* owned; parallel to items */
};

#endif
