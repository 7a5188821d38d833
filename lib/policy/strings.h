/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of strings, each with the place in the policy that said it. Plain data; it lives in the
 * policy's memory.
 */
#ifndef LAZ_POLICY_STRINGS_H
#define LAZ_POLICY_STRINGS_H

#include <string.h>

#include "policy/diagnostic.h"

struct laz_string_list {
    size_t n;
    char **items;        /* owned */
    struct laz_pos *pos; /* owned; parallel to items */
};

static inline bool laz_string_list_has(const struct laz_string_list *list, const char *text)
{
    size_t i = 0;
    while (i < list->n && strcmp(list->items[i], text) != 0) {
        i++;
    }
    return i < list->n;
}

#endif
