/* SPDX-License-Identifier: Apache-2.0
 *
 * Several files into one policy: lists add up, single values replace, `remove` subtracts. Each
 * section of the language has a file; each knows how one more document changes the policy, and how
 * the whole is finished.
 */
#ifndef LAZ_POLICY_MERGE_H
#define LAZ_POLICY_MERGE_H

#include "policy/load.h"

#define LAZ_FAMILIES_MAX 64 /* socket families in the table; one bit each */

/* What the documents so far say about one system call. */
struct laz_call_state {
    bool is_said; /* `base` counts; otherwise the default does */
    struct laz_verdict base;
    struct laz_clauses refuse;
    struct laz_clauses allow;
    struct laz_pos removed_at; /* the `remove` that this state is owed to; line 0: none */
    struct laz_pos refused_at; /* what an earlier document refused, and a group allows; likewise */
    struct laz_node *lifted;   /* the `allow` entry that took a condition away; NULL if none */
    struct laz_node *quiet;

    /* In the document at hand. */
    struct laz_node *allowed;
    struct laz_node *removed;
    struct laz_node *ruled; /* by a rule without conditions */
};

struct laz_merge {
    struct laz_load *load;
    struct laz_report *report; /* not the load's own when a parent is merged for itself */
    struct laz_arena *arena;
    struct laz_policy *policy;                      /* what is being made */
    struct laz_node *said[LAZ_FIELD_COUNT];         /* of single values: who said them last */
    const struct laz_node *listed[LAZ_FIELD_COUNT]; /* of lists that are not empty, likewise */
    struct laz_call_state *calls;                   /* by laz_syscall_index */
    uint64_t families;                              /* bit n: laz_socket_family_at(n) */
    struct laz_pos family_pos[LAZ_FAMILIES_MAX];
    bool is_stop_said;
    size_t n_rules;
    struct laz_node *sinks[LAZ_SHIP_SINKS_MAX];    /* who said each of the policy's last */
    struct laz_node *secrets[LAZ_FETCH_ITEMS_MAX]; /* likewise; of an identity's items, that */
    struct laz_node *identities[LAZ_FETCH_IDENTITIES_MAX];
    bool lacks_items; /* there are more than there can be */
    struct laz_node *trust[LAZ_TUNNEL_TRUST_MAX];
    struct laz_node *entries[LAZ_TUNNEL_ENTRIES_MAX]; /* of tls.connect */
    struct laz_node *checks[LAZ_HEALTH_CHECKS_MAX];
};

/* Make the policy of one file out of it and all that it extends. What is wrong is reported. */
void laz_merge(struct laz_load *load, struct laz_report *report, uint16_t file,
        struct laz_policy *ret_policy);

/* One document more. */
void laz_merge_workload(struct laz_merge *merge, struct laz_document *document);
void laz_merge_filesystem(struct laz_merge *merge, struct laz_document *document);
void laz_merge_network(struct laz_merge *merge, struct laz_document *document);
void laz_merge_calls(struct laz_merge *merge, struct laz_document *document);
void laz_merge_signals(struct laz_merge *merge, struct laz_document *document);
void laz_merge_shipping(struct laz_merge *merge, struct laz_document *document);
void laz_merge_sense(struct laz_merge *merge, struct laz_document *document);
void laz_merge_plain(struct laz_merge *merge, struct laz_document *document);
void laz_merge_secrets(struct laz_merge *merge, struct laz_document *document);
void laz_merge_identities(struct laz_merge *merge, struct laz_document *document);
void laz_merge_tunnel(struct laz_merge *merge, struct laz_document *document);
void laz_merge_health(struct laz_merge *merge, struct laz_document *document);
void laz_merge_volumes(struct laz_merge *merge, struct laz_document *document);
void laz_merge_host(struct laz_merge *merge, struct laz_document *document);
void laz_merge_tests(struct laz_merge *merge, struct laz_document *document);

/* When all documents are in. Network changes decisions, so calls come first. */
void laz_finish_workload(struct laz_merge *merge);
void laz_finish_calls(struct laz_merge *merge);
void laz_finish_network(struct laz_merge *merge);
void laz_finish_quiet(struct laz_merge *merge);
void laz_finish_signals(struct laz_merge *merge);
void laz_finish_shipping(struct laz_merge *merge);
/* Before sense, which is told of it. */
void laz_finish_plain(struct laz_merge *merge);
void laz_finish_sense(struct laz_merge *merge);
void laz_finish_secrets(struct laz_merge *merge);
void laz_finish_vault(struct laz_merge *merge);
/* From within it: keys of before become items. */
void laz_finish_keys(struct laz_merge *merge);
/* Is it one of `keys`, and not of `secrets.items`? */
bool laz_merge_is_key(const struct laz_node *item);
void laz_finish_tunnel(struct laz_merge *merge);
void laz_finish_tls(struct laz_merge *merge);
/* From within it: they become items. */
void laz_finish_identities(struct laz_merge *merge);
bool laz_identity_has_variable_password(
        const struct laz_fetch_config *config, const struct laz_fetch_identity *identity);
/* Can it be another one while the container runs? */
bool laz_identity_can_change(
        const struct laz_fetch_config *config, const struct laz_fetch_identity *identity);
/* After secrets, of which it has the names. */
void laz_finish_health(struct laz_merge *merge);
void laz_finish_volumes(struct laz_merge *merge); /* after sense */

/* Add a copy of the text to a list of strings. */
void laz_strings_append(struct laz_arena *arena, struct laz_string_list *list, const char *text,
        size_t length, struct laz_pos pos);

/* Texts of several files add up, each once. More than `max` are reported. */
void laz_merge_texts(
        struct laz_merge *merge, struct laz_node *list, struct laz_string_list *texts, size_t max);

/* Ports of several files add up, each once, in order. More than `max` are reported. */
void laz_merge_ports(
        struct laz_merge *merge, struct laz_node *list, struct laz_port_list *ports, size_t max);

/* One port more, unless it is there; false: no memory. */
bool laz_ports_add(
        struct laz_arena *arena, struct laz_port_list *ports, uint16_t port, struct laz_pos pos);
bool laz_ports_have(const struct laz_port_list *ports, uint16_t port);

/* A copy of a value's text; "" if there is none. */
const char *laz_merge_text(struct laz_merge *merge, const struct laz_node *node);

/* The workload's user and groups, after laz_finish_workload. */
void laz_merge_party(const struct laz_policy *policy, struct laz_party *ret);

/* The default of a field, by the same reader as a value of the file; 0 if it has none. */
uint64_t laz_preset_number(const struct laz_field *field);

/* Does a rule of this class let files that are there be written to? Of devices too: Landlock does
 * not tell a node from a file. */
bool laz_path_class_writes(enum laz_path_class class);

/* May the workload write there, as far as the policy can see? */
bool laz_policy_may_write(const struct laz_policy *policy, const char *path);

/* How much a verdict takes away: allow 0, log, errno, notify, kill. */
unsigned laz_verdict_strictness(struct laz_verdict verdict);
static inline bool laz_verdict_refuses(struct laz_verdict verdict)
{
    return verdict.action != LAZ_ACTION_ALLOW && verdict.action != LAZ_ACTION_LOG;
}

/* Put a clause among others: the stricter ones first, and among equals those of later documents. */
void laz_clauses_insert(
        struct laz_arena *arena, struct laz_clauses *clauses, const struct laz_clause *clause);

/* conditions.c: the conditions of a rule for one of its calls. false: reported. */
bool laz_conditions_check(struct laz_merge *merge, struct laz_node *when);
bool laz_conditions_build(struct laz_merge *merge, struct laz_node *when,
        const struct laz_syscall *call, struct laz_clause *ret_clause);
/* One condition, from values that are already masked; the arena keeps a copy. */
bool laz_clause_add(struct laz_arena *arena, struct laz_clause *clause,
        const struct laz_syscall *call, const struct laz_cond *condition);
/* " (its arguments: domain, type, protocol)" */
const char *laz_name_arguments(struct laz_quoted *ret, const struct laz_syscall *call);
/* The number or constant of a node for an argument. false: reported. */
bool laz_value_resolve(struct laz_merge *merge, struct laz_node *node,
        const struct laz_syscall *call, unsigned arg, uint64_t *ret_value);

/* Is a variable of this name likely to have a secret? In merge_workload.c. */
bool laz_is_secret_like(const char *name);

/* users.c: "uid:gid", "name", "name:group" and "gid", "group" by the image's files. */
LAZ_MUST_CHECK int laz_user_resolve(const struct laz_policy_source *source, const char *text,
        uint32_t *ret_uid, uint32_t *ret_gid, struct laz_err *err);
LAZ_MUST_CHECK int laz_group_resolve(const struct laz_policy_source *source, const char *text,
        uint32_t *ret_gid, struct laz_err *err);

/* complete.c: what only the whole policy shows; and the list of relaxations. */
void laz_complete(struct laz_merge *merge);
void laz_complete_shipping(struct laz_merge *merge);
void laz_complete_sense(struct laz_merge *merge);
/* Does what sense is told fit? Reported of the section that was read last. */
void laz_complete_sense_length(struct laz_merge *merge, enum laz_field_id section);
void laz_complete_plain(struct laz_merge *merge);
void laz_complete_secrets(struct laz_merge *merge);
void laz_complete_vault(struct laz_merge *merge);
void laz_complete_identities(struct laz_merge *merge);
void laz_complete_tunnel(struct laz_merge *merge);
void laz_complete_tls(struct laz_merge *merge);
void laz_complete_health(struct laz_merge *merge);
void laz_warn_health(struct laz_merge *merge); /* from within it */
void laz_complete_volumes(struct laz_merge *merge);
/* The workload's user must be none of Lazaret's helpers, where there are any. */
void laz_complete_user(struct laz_merge *merge, const char *where);
bool laz_complete_is_wrong(const struct laz_merge *merge, enum laz_field_id section);
void laz_relaxations(struct laz_merge *merge);
void laz_relaxations_shipping(struct laz_merge *merge);
void laz_relaxations_sense(struct laz_merge *merge);
void laz_relaxations_plain(struct laz_merge *merge);
void laz_relaxations_secrets(struct laz_merge *merge);
void laz_relaxations_tls(struct laz_merge *merge);
void laz_relaxations_trust(struct laz_merge *merge);
void laz_relaxations_health(struct laz_merge *merge);
void laz_relaxations_volumes(struct laz_merge *merge);
void laz_complete_host(struct laz_merge *merge);
void laz_relaxations_host(struct laz_merge *merge);
void laz_relaxations_add(struct laz_merge *merge, struct laz_pos pos, const char *format, ...)
        LAZ_PRINTF(3, 4);

#endif
