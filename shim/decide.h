/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes into a running container, by which switch of `host` it is judged, and what that says.
 * An engine names neither its health command nor the agent of ECS: they are known by what was
 * remembered of the container when it was made.
 */
#ifndef LAZ_SHIM_DECIDE_H
#define LAZ_SHIM_DECIDE_H

#include "oci/record.h"
#include "policy/host_policy.h"
#include "shim/audit.h"
#include "shim/bundle.h"

struct laz_entering {
    enum laz_note_way way;
    enum laz_host_exec mode;
    bool is_probe;                        /* our own, where the container is one of ours */
    bool is_bare;                         /* confined without an init in front: exec.c says so */
    const char *why;                      /* static: of a refusal */
    char agent_folder[LAZ_OCI_WORD_SIZE]; /* of ECS's; "": it is not that */
};

/* Into the record of a container that is made: how it begins, and where ECS's agent is. */
LAZ_MUST_CHECK int laz_decide_remember(
        const struct laz_bundle *bundle, struct laz_oci_record *ret, struct laz_err *err);

/* record: NULL where there is none. */
LAZ_MUST_CHECK int laz_decide(const struct laz_host_policy *policy,
        const struct laz_oci_record *record, const struct laz_oci_spec *spec,
        const struct laz_oci_process *process, struct laz_entering *ret, struct laz_err *err);

#endif
