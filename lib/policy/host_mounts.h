/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the host a bind mount would bring, by what is there: a folder may be shown at any number
 * of places, by volumes that are mounts themselves, a second mount of a disk, or a bind.
 */
#ifndef LAZ_POLICY_HOST_MOUNTS_H
#define LAZ_POLICY_HOST_MOUNTS_H

#include "core/buf.h"
#include "policy/host.h"

#define LAZ_SOURCES_OWN "/proc/self/mountinfo"

/* The mounts of the host, as of one moment. Opaque: rows borrow from the text. */
struct laz_sources {
    struct laz_buf text;
    struct laz_mount_row *rows;
    size_t n;
};

/* How it is bound. */
struct laz_source_use {
    bool is_writable;
    bool is_recursive;      /* what is mounted below comes with it */
    bool is_writable_below; /* and is not made read-only */
};

/* LAZ_E_REQUEST, also half done: free with laz_sources_done. */
LAZ_MUST_CHECK int laz_sources_read(
        const char *table, struct laz_sources *ret, struct laz_err *err);
void laz_sources_done(struct laz_sources *sources);

/* Why a source (absolute, links resolved) may not be bound: the denied path that it is, is in, or
 * has in it, by any name that the host's mounts give it, or the type of a file system of the
 * kernel's. NULL: it may. The state of ours that is at a place of the host's choice is denied as
 * well; NULL: there is none. Borrowed, or of the sources. */
const char *laz_source_refusal(const struct laz_sources *sources,
        const struct laz_policy_host *host, const char *own, const char *source,
        const struct laz_source_use *use);

/* Is a path (absolute, links resolved) in this folder, by any name that the host's mounts give it?
 * What cannot be placed is. */
bool laz_source_is_in(const struct laz_sources *sources, const char *path, const char *folder);

/* A container whose mounts have been made, in a table that has those of the host too. */
struct laz_mounted {
    const char *root;    /* of the container, as the table has it */
    const char *ours;    /* a mount that the host makes there itself, read-only; or NULL */
    const char *records; /* or NULL: as above */
    /* What is mounted at this place of it, alone, is not yet read-only: will the runtime make it
     * so? */
    bool (*becomes_read_only)(void *context, const char *at);
    void *context;
};

/* Why what is mounted below the root may not be there, whatever it was when somebody looked at its
 * source; and where, in the container. NULL: it may. */
const char *laz_mounted_refusal(const struct laz_sources *sources,
        const struct laz_policy_host *host, const struct laz_mounted *mounted, const char **ret_at);

#endif
