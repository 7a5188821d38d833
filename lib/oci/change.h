/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host changes in a config.json or process.json. Each change is idempotent: where the text
 * says already what is asked for, nothing is edited, so that a second pass over a changed text is
 * that text. The changes are collected; laz_oci_change_apply writes the new text and reads it once
 * more, as strictly as the first. All fail with LAZ_E_OCI, or LAZ_E_MEMORY.
 */
#ifndef LAZ_OCI_CHANGE_H
#define LAZ_OCI_CHANGE_H

#include "core/json_edit.h"
#include "oci/spec.h"

#define LAZ_OCI_EDITS_MAX 2048 /* a profile of seccomp has some 400 names, each may go */

struct laz_oci_change {
    const struct laz_oci_spec *spec; /* borrowed */
    struct laz_json_edit *list;      /* owned */
    struct laz_json_edits edits;
};

/* A list of strings that the caller owns. */
struct laz_oci_strings {
    const char *const *items;
    size_t n;
};

LAZ_MUST_CHECK int laz_oci_change_init(
        struct laz_oci_change *change, const struct laz_oci_spec *spec, struct laz_err *err);
void laz_oci_change_done(struct laz_oci_change *change);
#define laz_cleanup_oci_change __attribute__((cleanup(laz_oci_change_done)))

/* The new text, appended; the change is used up. */
LAZ_MUST_CHECK int laz_oci_change_apply(
        struct laz_oci_change *change, struct laz_buf *ret, struct laz_err *err);

/* ---- the process: of a config.json, or a process.json itself ---- */

/* Each of the five sets loses what is not in the list. A set that is absent becomes an empty one,
 * said aloud: in a process.json absent capabilities are the container's. */
LAZ_MUST_CHECK int laz_oci_clamp_capabilities(
        struct laz_oci_change *change, const struct laz_oci_strings *allowed, struct laz_err *err);
LAZ_MUST_CHECK int laz_oci_set_no_new_privileges(
        struct laz_oci_change *change, struct laz_err *err);
/* The first `n_drop` of process.args go, these come in their place. Nothing where they are there
 * already. */
LAZ_MUST_CHECK int laz_oci_prepend_args(struct laz_oci_change *change, size_t n_drop,
        const struct laz_oci_strings *args, struct laz_err *err);
/* Soft and hard are at most these; the limit is added where it is absent. "RLIMIT_CORE". */
LAZ_MUST_CHECK int laz_oci_clamp_rlimit(struct laz_oci_change *change, const char *type,
        uint64_t soft, uint64_t hard, struct laz_err *err);
/* What begins with this goes. */
LAZ_MUST_CHECK int laz_oci_drop_environment(
        struct laz_oci_change *change, const char *prefix, struct laz_err *err);
/* The groups beside it stay. */
LAZ_MUST_CHECK int laz_oci_set_user(
        struct laz_oci_change *change, uint32_t uid, uint32_t gid, struct laz_err *err);
/* They are these, and no others; in their order. */
LAZ_MUST_CHECK int laz_oci_set_groups(
        struct laz_oci_change *change, const uint32_t *groups, size_t n, struct laz_err *err);
/* The profile of AppArmor and the label of SELinux: what has none gets the container's own. */
LAZ_MUST_CHECK int laz_oci_drop_labels(struct laz_oci_change *change, struct laz_err *err);

/* ---- the container: of a config.json alone ---- */

struct laz_oci_new_mount {
    const char *destination;
    const char *type;
    const char *source;
    struct laz_oci_strings options;
    const char *before; /* what the source of an earlier one begins with, or NULL: none was */
};
/* One that is there with an earlier source gets this one. At the end, so that nothing is mounted
 * over it. Fails where something else is mounted at the same place, or, where it is there already,
 * something behind it covers it or a part of it. Places are compared as they are written: links of
 * the image are the runtime's business. */
LAZ_MUST_CHECK int laz_oci_add_mount(
        struct laz_oci_change *change, const struct laz_oci_new_mount *mount, struct laz_err *err);

struct laz_oci_new_hook {
    const char *path;            /* absolute */
    struct laz_oci_strings args; /* with the name of the program */
    struct laz_oci_strings env;  /* at least one: without it a runtime gives the image's */
    uint32_t timeout_s;          /* at least one: without it a hook may hang for ever */
};
/* Behind those that are there. */
LAZ_MUST_CHECK int laz_oci_add_hook(struct laz_oci_change *change, enum laz_oci_stage stage,
        const struct laz_oci_new_hook *hook, struct laz_err *err);

/* Those that are absent are added at the end. */
LAZ_MUST_CHECK int laz_oci_mask_paths(
        struct laz_oci_change *change, const struct laz_oci_strings *paths, struct laz_err *err);
LAZ_MUST_CHECK int laz_oci_readonly_paths(
        struct laz_oci_change *change, const struct laz_oci_strings *paths, struct laz_err *err);
/* What the host mounts later, or unmounts, is not seen. */
LAZ_MUST_CHECK int laz_oci_part_root(struct laz_oci_change *change, struct laz_err *err);

/* Is there a profile that does anything but let calls happen? And does it refuse what it does not
 * name? */
bool laz_oci_seccomp_refuses(const struct laz_oci_spec *spec);
bool laz_oci_seccomp_refuses_by_default(const struct laz_oci_spec *spec);
/* linux.seccomp becomes this JSON text, unless it is, byte for byte. */
LAZ_MUST_CHECK int laz_oci_set_seccomp(
        struct laz_oci_change *change, const char *json, size_t length, struct laz_err *err);
/* From rules that let a call happen (SCMP_ACT_ALLOW, _LOG, _TRACE, _NOTIFY) go the names that
 * `keep` refuses, and the rule with its last name. Fails where there is no filter, or where
 * its default lets calls happen: taking names away would not narrow it. */
LAZ_MUST_CHECK int laz_oci_narrow_seccomp(struct laz_oci_change *change,
        bool (*keep)(void *context, const char *name), void *context, struct laz_err *err);

/* What begins with this goes. */
LAZ_MUST_CHECK int laz_oci_drop_annotations(
        struct laz_oci_change *change, const char *prefix, struct laz_err *err);

#endif
