/* SPDX-License-Identifier: Apache-2.0
 *
 * The shim becomes lazaret-prepare, which becomes the shim again: one process all the time, with
 * the caller's environment and descriptors, and one word more between the two.
 */
#ifndef LAZ_SHIM_ASK_H
#define LAZ_SHIM_ASK_H

#include "core/err.h"
#include "core/rooted.h"

/* The first word that the shim gets from lazaret-prepare; behind it the caller's. */
#define LAZ_ASK_WORD       "--lazaret-prepared="
#define LAZ_ASK_ROUNDS_MAX 16 /* files that change whenever they have been read */

/* What the program was started with, without that word. */
struct laz_ask {
    const char *context; /* in front of why it is refused; NULL: nothing */
    int argc;
    char **argv;
    struct laz_rooted folders; /* of the host's files, that have passed in this process */
    unsigned round;            /* how often lazaret-prepare was asked in this call */
};

void laz_ask_init(int argc, char **argv, struct laz_ask *ret);

/* Of a file in LAZ_PREPARED_FOLDER that is not there, or stale. Returns only to say why not. */
LAZ_MUST_CHECK int laz_ask(const struct laz_ask *ask, const char *name, struct laz_err *err);

/* The other way: DESCRIPTOR of the shim's file, ROUND, NAME, and the caller's words. LAZ_E_USAGE */
LAZ_MUST_CHECK int laz_ask_take(int argc, char **argv, int *ret_shim, const char **ret_name,
        struct laz_ask *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_ask_answer(const struct laz_ask *ask, int shim, struct laz_err *err);

#endif
