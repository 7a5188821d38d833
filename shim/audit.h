/* SPDX-License-Identifier: Apache-2.0
 *
 * What the shim writes into the host's own ledger (core/ledger.h): who came into a container, what
 * was refused, and which container has another policy than the host selects for it, or none. What
 * is known is noted while a call is judged, and written once, before the runtime is called.
 */
#ifndef LAZ_SHIM_AUDIT_H
#define LAZ_SHIM_AUDIT_H

#include "oci/record.h"
#include "oci/spec.h"
#include "policy/host_policy.h"

#define LAZ_NOTE_COMMAND_SIZE 128 /* with a NUL; what is longer is cut */
#define LAZ_NOTE_ARGUMENTS_SIZE                                                                    \
    2048 /* all of them, each with its NUL; what is more is left out                               \
          */
#define LAZ_NOTE_BY_MAX 4

struct laz_call;

/* By which switch of `host` it was judged. */
enum laz_note_way {
    LAZ_NOTE_EXEC,
    LAZ_NOTE_HEALTH,
    LAZ_NOTE_ECS,
};

/* Zeros: nothing is known yet. */
struct laz_note {
    char policy[LAZ_OCI_WORD_SIZE]; /* "": not known, or pass-through */
    char digest[LAZ_OCI_DIGEST_SIZE];
    const char *mode; /* static: what is enforced; NULL: not judged yet */
    enum laz_note_way way;

    bool has_command; /* all below is of it */
    bool has_user;
    uint32_t uid;
    uint32_t gid;
    char command[LAZ_NOTE_COMMAND_SIZE];
    char hash[LAZ_OCI_DIGEST_SIZE]; /* SHA-256 of the arguments, each with its NUL */
    uint64_t n_arguments;
    char arguments[LAZ_NOTE_ARGUMENTS_SIZE];
    size_t arguments_length;

    /* Of a container that is created; "" and none: as the host selected. */
    char selected[LAZ_OCI_WORD_SIZE];
    const char *by[LAZ_NOTE_BY_MAX]; /* static: who has tightened it */
    size_t n_by;
    bool has_own_init; /* the image's was replaced */
    bool is_restored;
};

/* policy: NULL where nothing is enforced. */
void laz_audit_policy(
        struct laz_note *note, const char *name, const struct laz_host_policy *policy);
/* What enters, as it was decided. mode: "deny", "confined", "allow"; static. */
void laz_audit_exec(struct laz_note *note, enum laz_note_way way, const char *mode,
        const struct laz_oci_spec *spec, const struct laz_oci_process *process);
/* The same of words, NULL behind the last: the user is the container's. */
void laz_audit_words(
        struct laz_note *note, enum laz_note_way way, const char *mode, char *const *words);

/* One record, where the call deserves one; refusal: NULL where it is let through. Errors of
 * core/ledger.h. */
LAZ_MUST_CHECK int laz_audit_write(
        const struct laz_call *call, const struct laz_err *refusal, struct laz_err *err);

#endif
