/* SPDX-License-Identifier: Apache-2.0
 *
 * One file against the field table: known keys, right types, values in range. What passes can be
 * merged by code that does not ask again; what does not is marked bad.
 */
#ifndef LAZ_POLICY_CHECK_H
#define LAZ_POLICY_CHECK_H

#include "policy/fields.h"
#include "policy/policy.h"
#include "policy/report.h"

/* One file of the policy. */
struct laz_document {
    uint16_t file;
    struct laz_node *root; /* in the load's arena; NULL if the text is no tree */
    /* The value of each key that is not inside a list; NULL where the file does not say it. A word
     * that stands for a mapping is found under the mapping's first key. */
    struct laz_node *at[LAZ_FIELD_END];
    size_t n_parents;
    uint16_t parents[LAZ_POLICY_FILES_MAX]; /* files, in the order of `extends` */
    uint16_t depth;                         /* of `extends`, 0 for the named file */
};

/* Fill document->at from document->root; the nodes' field, number and key_number are set.
 * `language` is the root of its rows. */
void laz_check(
        struct laz_document *document, enum laz_field_id language, struct laz_report *report);

/* What is wrong with the sinks and patterns of a file, each by itself. After laz_check. */
void laz_check_shipping(struct laz_document *document, struct laz_report *report);

/* The same for its secrets; in check_secrets.c. */
void laz_check_secrets(struct laz_document *document, struct laz_report *report);

/* The one of these keys that a mapping has, LAZ_FIELD_ROOT behind them; NULL if it has none or
 * more: reported. In check_secrets.c. */
const struct laz_node *laz_check_source(struct laz_report *report, struct laz_node *from,
        const enum laz_field_id *sources, const char *who, const char *names);

/* What is more to say of an item that is one of `keys`; in check_keys.c. */
void laz_check_key(struct laz_report *report, struct laz_node *key);

/* The same for its identities; in check_identities.c. */
void laz_check_identities(struct laz_document *document, struct laz_report *report);
/* Does an identity of this file use this item? */
bool laz_check_is_of_identity(const struct laz_document *document, const char *item);
/* A signal that the workload is to take for a change; NULL: there is none. In check_secrets.c. */
void laz_check_change_signal(struct laz_report *report, struct laz_node *node);
/* And for its tunnels; in check_tunnel.c. */
void laz_check_tunnel(struct laz_document *document, struct laz_report *report);
/* And for what is asked of the workload; in check_health.c. */
void laz_check_health(struct laz_document *document, struct laz_report *report);
/* Those three, LAZ_FIELD_ROOT behind them. */
extern const enum laz_field_id laz_check_lists[];

/* The child of a mapping that belongs to this field, if it is there and usable. */
struct laz_node *laz_check_child(const struct laz_node *mapping, enum laz_field_id field);

/* Walk the usable elements of a list or dictionary, or the single value that stands for a list of
 * one: start with NULL. */
struct laz_node *laz_check_item(struct laz_node *list, struct laz_node *previous);

#endif
