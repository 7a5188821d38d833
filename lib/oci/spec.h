/* SPDX-License-Identifier: Apache-2.0
 *
 * A config.json or process.json of the OCI runtime specification (1.0 to 1.2), read so that every
 * runtime reads the same: what one of them could understand differently is refused. That is a key
 * twice, a key that differs from a known one or from its neighbour by case alone or has a byte that
 * is not ASCII (Go's decoder folds both), a NUL in a string, and a known key with a value of
 * another type, and a type of namespace twice. Keys that nobody knows are kept: a newer runtime
 * may. Free maps, such as annotations, are compared exactly. Nothing is copied: the text stays the
 * caller's.
 */
#ifndef LAZ_OCI_SPEC_H
#define LAZ_OCI_SPEC_H

#include "core/json_read.h"

#define LAZ_OCI_TEXT_MAX  ((size_t)4 << 20) /* 9 KiB is what engines write, 640 B of annotations */
#define LAZ_OCI_DEPTH_MAX 64
#define LAZ_OCI_KEYS_MAX  256 /* in an object of the specification; the largest has 30 */

enum laz_oci_form {
    LAZ_OCI_CONFIG,  /* config.json */
    LAZ_OCI_PROCESS, /* process.json: what is under "process" in the other */
};

/* Invariant: the root is an object, and every known key has a value of its type, or null. */
struct laz_oci_spec {
    enum laz_oci_form form;
    struct laz_json_doc doc;
    struct laz_json_node *nodes; /* owned */
};

/* LAZ_E_OCI: why, and where: "config.json: process.capabilities.Bounding: ...". `text` is borrowed
 * for the life of the spec. */
LAZ_MUST_CHECK int laz_oci_spec_open(const char *text, size_t length, enum laz_oci_form form,
        struct laz_oci_spec *ret, struct laz_err *err);
void laz_oci_spec_done(struct laz_oci_spec *spec);
#define laz_cleanup_oci_spec __attribute__((cleanup(laz_oci_spec_done)))

/* ---- what is in it ---- */

/* Nodes are NULL where the key is absent or null. Strings: laz_json_copy, laz_json_text,
 * laz_oci_is, laz_oci_begins; lists: laz_json_next. */
struct laz_oci_process {
    const struct laz_json_node *node; /* NULL: there is none, and all else is empty */
    const struct laz_json_node *args;
    const struct laz_json_node *env;
    const struct laz_json_node *cwd;
    const struct laz_json_node *capabilities; /* NULL in a process.json: the container's own */
    const struct laz_json_node *rlimits;
    const struct laz_json_node *apparmor;
    const struct laz_json_node *selinux;
    const struct laz_json_node *groups; /* user.additionalGids */
    uint32_t uid;
    uint32_t gid;
    uint32_t umask;
    bool has_umask;
    bool has_no_new_privileges; /* said, whether true or false */
    bool no_new_privileges;
    bool terminal;
};

struct laz_oci_container {
    const struct laz_json_node *root_path; /* absolute, or relative to the bundle */
    bool root_readonly;
    const struct laz_json_node *hostname;
    const struct laz_json_node *mounts;
    const struct laz_json_node *hooks;
    const struct laz_json_node *annotations;
    const struct laz_json_node *linux_node;
    const struct laz_json_node *namespaces;
    const struct laz_json_node *devices;
    const struct laz_json_node *device_rules; /* linux.resources.devices */
    const struct laz_json_node *resources;
    const struct laz_json_node *seccomp; /* NULL: no filter */
    const struct laz_json_node *masked_paths;
    const struct laz_json_node *readonly_paths;
    const struct laz_json_node *cgroups_path;
    const struct laz_json_node *sysctl;
};

struct laz_oci_mount {
    const struct laz_json_node *node;
    const struct laz_json_node *destination;
    const struct laz_json_node *type;
    const struct laz_json_node *source;
    const struct laz_json_node *options;
};

struct laz_oci_hook {
    const struct laz_json_node *node;
    const struct laz_json_node *path;
    const struct laz_json_node *args;
    const struct laz_json_node *env;
    const struct laz_json_node *timeout; /* seconds */
};

/* In the order of their running; poststart runs inside `create` in released versions of runc. */
enum laz_oci_stage {
    LAZ_OCI_PRESTART,
    LAZ_OCI_CREATE_RUNTIME,
    LAZ_OCI_CREATE_CONTAINER,
    LAZ_OCI_START_CONTAINER,
    LAZ_OCI_POSTSTART,
    LAZ_OCI_POSTSTOP,
    LAZ_OCI_STAGES
};
/* "createRuntime"; static. */
const char *laz_oci_stage_name(enum laz_oci_stage stage);

enum laz_oci_capability_set {
    LAZ_OCI_BOUNDING,
    LAZ_OCI_EFFECTIVE,
    LAZ_OCI_INHERITABLE,
    LAZ_OCI_PERMITTED,
    LAZ_OCI_AMBIENT,
    LAZ_OCI_CAPABILITY_SETS
};
/* "bounding"; static. */
const char *laz_oci_capability_set_name(enum laz_oci_capability_set set);

/* LAZ_E_OCI where an id is none of 32 bits; null and absent are 0 and false. */
LAZ_MUST_CHECK int laz_oci_process(
        const struct laz_oci_spec *spec, struct laz_oci_process *ret, struct laz_err *err);
/* Of a process.json everything is NULL. */
struct laz_oci_container laz_oci_container(const struct laz_oci_spec *spec);
/* `node` is an element of mounts, or of one of the stages. */
struct laz_oci_mount laz_oci_mount(
        const struct laz_oci_spec *spec, const struct laz_json_node *node);
struct laz_oci_hook laz_oci_hook(const struct laz_oci_spec *spec, const struct laz_json_node *node);
/* The list of a stage's hooks, or NULL. */
const struct laz_json_node *laz_oci_hooks(
        const struct laz_oci_spec *spec, enum laz_oci_stage stage);
/* One set of process.capabilities, or NULL. */
const struct laz_json_node *laz_oci_capabilities(
        const struct laz_oci_spec *spec, enum laz_oci_capability_set set);
/* The value of an annotation, or NULL. */
const struct laz_json_node *laz_oci_annotation(const struct laz_oci_spec *spec, const char *key);
/* The member of any object in the text; NULL where it is absent or null. */
const struct laz_json_node *laz_oci_member(
        const struct laz_oci_spec *spec, const struct laz_json_node *object, const char *key);
/* process.env: the element that is NAME=..., the last one, as every runtime has it; or NULL. */
const struct laz_json_node *laz_oci_environment(const struct laz_oci_spec *spec, const char *name);

/* The element of an environment that is NAME=... */
bool laz_oci_is_variable(
        const struct laz_oci_spec *spec, const struct laz_json_node *entry, const char *name);

/* A string that is, or begins with, this text; false for NULL. */
bool laz_oci_is(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *text);
bool laz_oci_begins(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *text);

#endif
