/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdicts on a chain, and on a host's file of records, as text and as JSON.
 */
#ifndef LAZ_CLI_VERDICT_H
#define LAZ_CLI_VERDICT_H

#include "audit/host_file.h"
#include "audit/verify.h"
#include "core/json.h"

/* "open: no final record; 2 behind the last signature" */
void laz_verdict_completeness(struct laz_buf *buf, const struct laz_chain_verdict *verdict);
/* "ok", "broken at 7: the hash is wrong" */
void laz_verdict_integrity(struct laz_buf *buf, const struct laz_chain_verdict *verdict);
/* "single", "forked at 7: there are two stories" */
void laz_verdict_uniqueness(struct laz_buf *buf, const struct laz_chain_verdict *verdict);

/* An object, inside an array. */
void laz_verdict_json(struct laz_json *json, const struct laz_chain_verdict *verdict);

/* Lines for a reader, and an object inside an array. */
void laz_verdict_host_file(
        struct laz_buf *buf, const char *name, const struct laz_host_verdict *verdict);
void laz_verdict_host_file_json(
        struct laz_json *json, const char *name, const struct laz_host_verdict *verdict);

#endif
