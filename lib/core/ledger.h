/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of records on the host (core/record.h), which several programs append to at once: one line
 * each, numbered without a gap, each with the hash of the line before. Whoever may write the file
 * may write all of it anew: it shows what was lost or changed by mistake, and what somebody changed
 * who did not think of the hashes. Format: docs/reference/hook.md.
 */
#ifndef LAZ_CORE_LEDGER_H
#define LAZ_CORE_LEDGER_H

#include <stdint.h>

#include "core/err.h"
#include "core/sha256.h"

#define LAZ_LEDGER_HASH_SIZE (2 * LAZ_SHA256_SIZE + 1)
#define LAZ_LEDGER_TEAR_SIZE 512        /* bytes of the record of a tear */
#define LAZ_LEDGER_LOOK_BACK (1U << 20) /* bytes in which there has to be a record */

/* From open to close nobody else appends. */
struct laz_ledger {
    int fd;
    uint64_t seq;                    /* of the record that comes next */
    char prev[LAZ_LEDGER_HASH_SIZE]; /* of the line before it; zeros: there is none */
    bool is_unfinished;              /* what is there does not end with a line */
    bool is_lazy;                    /* the caller's: nobody waits for the disk */
    char tear[LAZ_LEDGER_TEAR_SIZE]; /* the line before it, which is not in the file yet */
    size_t tear_length;              /* 0: there is none, because the last line is a record */
};

/* By an absolute path, in a folder of root's; the last folder of it and the file are made where
 * they are absent, for root alone. Waits for others, as long as core/lock.h does. What a power cut
 * has left behind the last record stays, and the next append says so by a record of its own.
 * LAZ_E_HOST_UNSAFE; LAZ_E_BUSY; LAZ_E_LEDGER where it cannot be had, or is no such file. */
LAZ_MUST_CHECK int laz_ledger_open(const char *path, struct laz_ledger *ret, struct laz_err *err);
/* One line, its newline with it, which has `seq` and `prev` of the ledger. On the disk when this
 * returns, unless the ledger is lazy; where it does not fit, nothing of it is there. Once for each
 * open. */
LAZ_MUST_CHECK int laz_ledger_append(
        struct laz_ledger *ledger, const void *line, size_t length, struct laz_err *err);
void laz_ledger_close(struct laz_ledger *ledger);

#endif
