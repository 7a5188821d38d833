/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this folder share and nobody else needs: the small vocabularies as arrays, for
 * the suggestions.
 */
#ifndef LAZ_POLICY_TABLES_NAMES_H
#define LAZ_POLICY_TABLES_NAMES_H

#include "policy/tables/tables.h"

struct laz_name {
    char name[24]; /* no pointer: it would be relocated whenever a program starts */
    int value;
};

struct laz_name_table {
    const struct laz_name *names;
    size_t count;
    size_t prefix; /* length of the part of each name that may be left out */
};

/* Capabilities, errnos, signals and limits only; static. */
const struct laz_name_table *laz_name_table(enum laz_names which);

#endif
