/* SPDX-License-Identifier: Apache-2.0
 *
 * A watched file as it was and as it is, and what is different. Plain data: it lies in memory that
 * outlives the process.
 */
#ifndef LAZ_SENSE_FILE_H
#define LAZ_SENSE_FILE_H

#include "core/json.h"
#include "core/sha256.h"

/* X(ENUM, "act of the record"): the first that holds. */
#define LAZ_CHANGES(X)                                                                             \
    X(NONE, "")                                                                                    \
    X(CREATED, "created")                                                                          \
    X(DELETED, "deleted")                                                                          \
    X(REPLACED, "replaced") /* another file by that name, with another content or kind */          \
    X(MODIFIED, "modified") /* its content */                                                      \
    X(OWNER, "owner")                                                                              \
    X(MODE, "mode")                                                                                \
    X(TOUCHED, "touched") /* times or size: all that shows where the content cannot be read */     \
    X(UNREADABLE, "unreadable") /* nothing shows any more: no comparison says that */

enum laz_change {
#define X(id, name) LAZ_CHANGE_##id,
    LAZ_CHANGES(X)
#undef X
    LAZ_CHANGE_COUNT
};

/* X(ENUM, "what the record says"): why there is a hash, or none. */
#define LAZ_CONTENTS(X)                                                                            \
    X(HASHED, "")                                                                                  \
    X(UNREADABLE, "unreadable") /* not for this user */                                            \
    X(BUSY, "busy")             /* it changed whenever it was read */                              \
    X(TOO_LARGE, "too-large")                                                                      \
    X(NONE, "none") /* it is no regular file */

enum laz_content {
#define X(id, name) LAZ_CONTENT_##id,
    LAZ_CONTENTS(X)
#undef X
    LAZ_CONTENT_COUNT
};

struct laz_file_facts {
    uint32_t is_there;
    uint32_t mode; /* kind included; 0 if it is not there */
    uint32_t uid;
    uint32_t gid;
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
    int64_t changed_ns;
    uint32_t content; /* enum laz_content */
    uint8_t hash[LAZ_SHA256_SIZE];
};

/* Has anything moved that says that the content should be read again? */
bool laz_file_looks_changed(
        const struct laz_file_facts *before, const struct laz_file_facts *after);

/* Folders differ by kind, owner and mode alone: what is in them has records of its own. */
enum laz_change laz_file_compare(
        const struct laz_file_facts *before, const struct laz_file_facts *after);

const char *laz_change_name(enum laz_change change);

/* Members of d: `before` and `after`, each of which is missing if there was nothing. */
void laz_file_put(const struct laz_file_facts *before, const struct laz_file_facts *after,
        struct laz_json *json);

#endif
