/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that root reads for somebody who may not have a hand in them: a path is walked part by
 * part, and each part, links and folders too, is looked at as it is held. What the workload could
 * replace, rename or lead elsewhere is never opened.
 */
#ifndef LAZ_CORE_TRUSTED_H
#define LAZ_CORE_TRUSTED_H

#include <stdint.h>

#include "core/err.h"

#define LAZ_PARTY_GROUPS_MAX 64

/* Who may not have a hand in it: the workload. */
struct laz_party {
    uint32_t uid;
    uint32_t gid;
    uint32_t n_groups;
    uint32_t groups[LAZ_PARTY_GROUPS_MAX];
};

/* A regular file, to be read; nothing of it is. Where the party is root, or is who asks, nobody is
 * kept apart and any file will do. LAZ_E_SYSTEM with an errno where it cannot be had, LAZ_E_SECRET
 * where the party has a hand in it. The message names the part, but not the whole path. */
LAZ_MUST_CHECK int laz_trusted_open(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err);
/* A folder (O_PATH), by the same rules; and nobody but its owner may make files in it. */
LAZ_MUST_CHECK int laz_trusted_open_folder(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err);
/* A folder (O_PATH) that is to be the caller's own. What of the path is missing is made, mode 0755,
 * the last part 0700. All above that is walked by the same rules; the last part is not judged, as
 * the caller may have it changed, and laz_trusted_check then: but a link it may not be (ELOOP). */
LAZ_MUST_CHECK int laz_trusted_make_folder(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err);
/* Has the party a hand in what is held, a file or a folder? Kinds as above; the message goes on
 * from its name: "belongs to ...". */
LAZ_MUST_CHECK int laz_trusted_check(int fd, const struct laz_party *party, struct laz_err *err);

#endif
