/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process is, against what the policy says that the workload is.
 */
#ifndef LAZ_SENSE_CREDENTIALS_H
#define LAZ_SENSE_CREDENTIALS_H

#include "core/json.h"
#include "policy/sense.h"
#include "sense/process.h"

/* X(ENUM, "what the record calls it") */
#define LAZ_DRIFTS(X)                                                                              \
    X(UID, "uid")                                                                                  \
    X(GID, "gid")                                                                                  \
    X(GROUPS, "groups")                                                                            \
    X(CAP_INH, "cap_inh")                                                                          \
    X(CAP_PRM, "cap_prm")                                                                          \
    X(CAP_EFF, "cap_eff")                                                                          \
    X(CAP_BND, "cap_bnd")                                                                          \
    X(CAP_AMB, "cap_amb")                                                                          \
    X(NO_NEW_PRIVS, "no_new_privs")                                                                \
    X(SECCOMP, "seccomp")

enum laz_drift {
#define X(id, name) LAZ_DRIFT_##id,
    LAZ_DRIFTS(X)
#undef X
    LAZ_DRIFT_COUNT
};

/* One bit for each LAZ_DRIFT_x in which it is more than it should be; 0: none. Fewer capabilities
 * or groups than allowed are no drift. */
uint32_t laz_credentials_compare(
        const struct laz_process_status *status, const struct laz_sense_config *config);

/* "uid cap_eff" */
void laz_credentials_name(uint32_t drifts, struct laz_buf *ret);

/* Members `is` and `expected`, each an object, of what differs. */
void laz_credentials_put(uint32_t drifts, const struct laz_process_status *status,
        const struct laz_sense_config *config, struct laz_json *json);

#endif
