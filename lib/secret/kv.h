/* SPDX-License-Identifier: Apache-2.0
 *
 * Vault's KV version 2: what is asked, and what an answer has to be to count as one. Pure; no
 * value, and nothing of one, is ever in a message.
 * https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
 */
#ifndef LAZ_SECRET_KV_H
#define LAZ_SECRET_KV_H

#include "secret/service.h"

/* Append "/v1/kv/data/prod/db?version=3"; overflows where there is no room. */
void laz_secret_ask_kv(const struct laz_fetch_item *item, struct laz_buf *ret);

/* The value is the object data.data as it is written. LAZ_E_SECRET, and ret->fault which kind. */
LAZ_MUST_CHECK int laz_secret_read_kv(const struct laz_fetch_item *item, const char *text,
        size_t length, struct laz_secret_reading *ret, struct laz_err *err);

#endif
