/* SPDX-License-Identifier: Apache-2.0
 *
 * What a hook is called with: its arguments, the runtime's state document on stdin, and what the
 * shim has recorded of the container. The record says which policy it is under; annotations, which
 * the image has a hand in, say nothing here.
 */
#ifndef LAZ_HOOKS_CALL_H
#define LAZ_HOOKS_CALL_H

#include "oci/record.h"
#include "oci/state.h"

#define LAZ_HOOK_STDIN_MAX ((size_t)64 << 10) /* bytes; 640 with podman's annotations */

/* X(ENUM, "its word") */
#define LAZ_HOOK_VERBS(X)                                                                          \
    X(AUDIT_CREATE, "audit-create") /* createRuntime */                                            \
    X(SECRETS, "secrets")           /* createContainer */                                          \
    X(AUDIT_END, "audit-end")       /* poststop */

enum laz_hook_verb {
#define X(id, word) LAZ_HOOK_##id,
    LAZ_HOOK_VERBS(X)
#undef X
    LAZ_HOOK_VERB_COUNT
};

struct laz_hook_call {
    enum laz_hook_verb verb;
    const char *root_hash; /* which runtime's containers: the folder of their records */
    char *text;            /* the state's; owned */
    struct laz_oci_state state;
    struct laz_oci_record record;
    bool has_record;
};

/* VERB ROOT-HASH, and nothing else. LAZ_E_USAGE. */
LAZ_MUST_CHECK int laz_hook_take_words(
        int argc, char **argv, struct laz_hook_call *ret, struct laz_err *err);
/* The state document. LAZ_E_OCI_STATE where it is none, LAZ_E_BUNDLE where it is not of this
 * stage. */
LAZ_MUST_CHECK int laz_hook_take_state(struct laz_hook_call *call, struct laz_err *err);
/* LAZ_E_CONTAINER where there is none, and the container is to begin. */
LAZ_MUST_CHECK int laz_hook_take_record(struct laz_hook_call *call, struct laz_err *err);

/* "audit-create"; static. */
const char *laz_hook_verb_name(enum laz_hook_verb value);

#endif
