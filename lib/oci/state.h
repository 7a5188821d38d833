/* SPDX-License-Identifier: Apache-2.0
 *
 * The state document that a runtime gives a hook on stdin (OCI runtime specification, "State"), as
 * runc and crun write it. What the image had a hand in, annotations and the bundle's name, is data.
 */
#ifndef LAZ_OCI_STATE_H
#define LAZ_OCI_STATE_H

#include "core/json_read.h"

#define LAZ_OCI_STATE_MAX  ((size_t)1 << 20) /* bytes; 640 with podman's annotations */
#define LAZ_OCI_ID_MAX     240               /* it is part of a name of a file */
#define LAZ_OCI_BUNDLE_MAX 4096

enum laz_oci_status {
    LAZ_OCI_CREATING,
    LAZ_OCI_CREATED,
    LAZ_OCI_STARTING, /* crun, in startContainer */
    LAZ_OCI_RUNNING,
    LAZ_OCI_STOPPED,
};
/* "creating"; static. */
const char *laz_oci_status_name(enum laz_oci_status status);

struct laz_oci_state {
    char id[LAZ_OCI_ID_MAX + 1];
    char bundle[LAZ_OCI_BUNDLE_MAX]; /* absolute */
    char root[LAZ_OCI_BUNDLE_MAX];   /* crun's alone, as config.json has it; "" elsewhere */
    enum laz_oci_status status;
    uint32_t pid; /* 0: absent, or not known to who was asked */
    struct laz_json_doc doc;
    struct laz_json_node *nodes; /* owned */
};

/* Letters, digits, '_', '+', '-' and '.', not '.' first: what runc takes, and a file's name. */
bool laz_oci_is_id(const char *id);

/* LAZ_E_OCI_STATE. `text` is borrowed for the life of the state. */
LAZ_MUST_CHECK int laz_oci_state_read(
        const char *text, size_t length, struct laz_oci_state *ret, struct laz_err *err);
void laz_oci_state_done(struct laz_oci_state *state);

#endif
