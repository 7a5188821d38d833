/* SPDX-License-Identifier: Apache-2.0
 *
 * Sinks in words, for `check` and `explain`.
 */
#ifndef LAZ_CLI_SHIPPING_H
#define LAZ_CLI_SHIPPING_H

#include "core/json.h"
#include "policy/policy.h"

struct laz_explanation;

/* `check`: one line for each sink. */
void laz_shipping_put(struct laz_buf *buf, const struct laz_policy *policy);
/* The same as the member "sinks". */
void laz_shipping_json(struct laz_json *json, const struct laz_policy *policy);

/* `explain`: what is captured, where it goes, what happens when it is full. */
void laz_shipping_explain(const struct laz_policy *policy, struct laz_explanation *ret);

#endif
