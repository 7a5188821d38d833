/* SPDX-License-Identifier: Apache-2.0
 *
 * Trails from files, folders and standard input, for the commands that judge them. Reads files
 * whole and once, - as standard input; follows no link in a folder.
 */
#ifndef LAZ_CLI_TRAILS_H
#define LAZ_CLI_TRAILS_H

#include "audit/host_file.h"
#include "audit/verify.h"
#include "cli/command.h"
#include "cli/digests.h"

/* What one file held; both texts are owned. */
struct laz_trail_piece {
    char *name; /* the path, of what is in a folder the last part */
    char *text;
    size_t length;
    bool is_host_file; /* and no trail: judged by itself */
    struct laz_host_verdict host;
};

/* Everything that was read, kept until the verdicts are printed. */
struct laz_trails {
    size_t n;
    size_t cap;
    struct laz_trail_piece *items;
    uint64_t skipped; /* links and folders inside a folder */
    bool is_running;
    bool has_segment; /* a segment of a spool, which is no trail */
    size_t n_host_files;
    struct laz_verify *verify;
    struct laz_digest_key *digest_key; /* NULL: not given */
    struct laz_digests digests;
};

/* Read what the arguments name, and judge it. Call laz_trails_done in any case. */
LAZ_MUST_CHECK int laz_trails_read(
        const struct laz_cli_arguments *arguments, struct laz_trails *ret, struct laz_err *err);
void laz_trails_done(struct laz_trails *trails);

/* Is there nothing to explain? */
bool laz_trails_are_fine(const struct laz_trails *trails);

#endif
