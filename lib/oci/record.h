/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host remembers of a container from its creation to its end, in a file of its own:
 * /run/lazaret/<hash of the runtime's root>/<id>.json, mode 0600. Written by the shim, read by the
 * shim at each exec and by the hooks. The folders are root's alone; a file that is not ours, or
 * that we did not write, is refused.
 */
#ifndef LAZ_OCI_RECORD_H
#define LAZ_OCI_RECORD_H

#include "core/buf.h"
#include "oci/state.h"

#define LAZ_OCI_RECORD_FOLDER  "/run/lazaret"
#define LAZ_OCI_RECORD_MAX     ((size_t)64 << 10) /* bytes */
#define LAZ_OCI_DIGEST_SIZE    65                 /* hexadecimal, with a NUL */
#define LAZ_OCI_ROOT_HASH_SIZE 33                 /* half of a SHA-256 */
#define LAZ_OCI_ROOT_FILE      "root"             /* beside records */
#define LAZ_OCI_ROOT_SIZE      4096               /* the kernel's PATH_MAX, with its NUL */
#define LAZ_OCI_RECORD_END     ".json"
#define LAZ_OCI_WORD_SIZE      129 /* letters, digits, '.', '_', ':', '/' and '-' */

/* Strings of digits are lower-case hexadecimal. */
struct laz_oci_record {
    char policy[LAZ_OCI_WORD_SIZE];            /* its name */
    char policy_digest[LAZ_OCI_DIGEST_SIZE];   /* of its source */
    char policy_pin[LAZ_OCI_DIGEST_SIZE];      /* of its image; "": a version of before */
    char config_digest[LAZ_OCI_DIGEST_SIZE];   /* of the config.json as it was applied */
    char mode[LAZ_OCI_WORD_SIZE];              /* enforce, observe, ... */
    char process_digest[LAZ_OCI_DIGEST_SIZE];  /* of how its process began, but for the command */
    char nameless_digest[LAZ_OCI_DIGEST_SIZE]; /* the same without HOSTNAME */
    char ecs_agent[LAZ_OCI_WORD_SIZE]; /* where the agent of ECS has mounted its own; "": nowhere */
    uint64_t policy_device; /* which file of the host its image is, as stat(2) has it; 0: not known
                             */
    uint64_t policy_inode;
    uint32_t pid; /* of its first process, and when that was started; 0: no hook has said so */
    uint64_t started;
    bool is_loosened; /* its seccomp profile, for events: only the filter inside refuses */
};

/* As text, appended; and from text, strictly: LAZ_E_OCI_STATE. */
LAZ_MUST_CHECK int laz_oci_record_write(
        const struct laz_oci_record *record, struct laz_buf *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_oci_record_read(
        const char *text, size_t length, struct laz_oci_record *ret, struct laz_err *err);

/* Which folder belongs to a runtime's --root ("" where none was given). Links and ".." in it are
 * not followed: two names of one folder that differ by more than slashes are two. */
void laz_oci_root_hash(const char *root, char ret[LAZ_OCI_ROOT_HASH_SIZE]);

/* The folder of records below `base` (LAZ_OCI_RECORD_FOLDER), made with mode 0700 where it is
 * absent and `create` says so. LAZ_E_OCI_STATE where it, or the base, is a link, somebody else's,
 * or others may write there. -1 in *ret without an error: absent, and not to be made. */
LAZ_MUST_CHECK int laz_oci_record_folder(
        const char *base, const char *root_hash, bool create, int *ret, struct laz_err *err);
/* Atomic: the old one or the new one, never half. */
LAZ_MUST_CHECK int laz_oci_record_save(
        int folder, const char *id, const struct laz_oci_record *record, struct laz_err *err);
/* false in *ret_found: there is none. Then *ret is not written. */
LAZ_MUST_CHECK int laz_oci_record_load(int folder, const char *id, struct laz_oci_record *ret,
        bool *ret_found, struct laz_err *err);
/* None is none, and no error. */
LAZ_MUST_CHECK int laz_oci_record_remove(int folder, const char *id, struct laz_err *err);

/* ---- Which containers there are ---- */

/* Beside the records of a runtime's containers its root, once, in a line of its own: an empty one
 * where none was given. For runtimes whose root has a folder for each container, as of runc and
 * crun; nothing is written of a root that depends on where its caller is. */
LAZ_MUST_CHECK int laz_oci_root_save(int folder, const char *root, struct laz_err *err);
/* Is there such a folder? true also where that cannot be known. */
bool laz_oci_root_has(const char *root, const char *id);

/* root: NULL where it is not known. */
typedef void laz_oci_container_fn(void *data, const char *root, const char *id);
/* Each that has a record below `base` (LAZ_OCI_RECORD_FOLDER; absent: none) and, where its root is
 * known, is in there. LAZ_E_OCI_STATE. */
LAZ_MUST_CHECK int laz_oci_containers(
        const char *base, laz_oci_container_fn *visit, void *data, struct laz_err *err);

#endif
