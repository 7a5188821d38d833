/* SPDX-License-Identifier: Apache-2.0
 *
 * A runtime's command line, as runc and crun take it: options, a verb, its options, a container's
 * name. Nothing is copied and nothing is changed. What the two would read differently is not
 * understood, and says so.
 */
#ifndef LAZ_SHIM_ARGUMENTS_H
#define LAZ_SHIM_ARGUMENTS_H

#include <stdbool.h>

enum laz_verb {
    LAZ_VERB_OTHER = 0, /* and none: not for the shim to act on */
    LAZ_VERB_CREATE = 1 << 0,
    LAZ_VERB_RUN = 1 << 1,
    LAZ_VERB_RESTORE = 1 << 2,
    LAZ_VERB_EXEC = 1 << 3,
    LAZ_VERB_UPDATE = 1 << 4,
    LAZ_VERB_CHECKPOINT = 1 << 5,
};

enum laz_option {
#define LAZ_OPTION(id, name, letter, has_value, verbs) LAZ_OPTION_##id,
#include "shim/options.def"
#undef LAZ_OPTION
    LAZ_OPTION_COUNT
};

/* Pointers are into argv. */
struct laz_arguments {
    enum laz_verb verb;
    const char *verb_name; /* NULL: there is none */
    const char *id;        /* of the container; NULL: there is none. Only of a verb to act on */
    int id_at;             /* its index in argv */
    bool asks_only;        /* for help, or the version: nothing is done */
    const char *unclear;   /* the first word that was not understood; NULL: all were */
    bool may_act;          /* a verb to act on, or any word that could be one behind `unclear` */
    /* The last of each counts. For one without a value: "". */
    const char *values[LAZ_OPTION_COUNT];
    int at[LAZ_OPTION_COUNT]; /* index in argv of the word that the value is in or ends */
};

/* Is it for the shim to act on? */
bool laz_arguments_act(const struct laz_arguments *arguments);

void laz_arguments_parse(int argc, char *const *argv, struct laz_arguments *ret);

#endif
