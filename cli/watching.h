/* SPDX-License-Identifier: Apache-2.0
 *
 * Health in words, for `check` and `explain`: what is asked, how soon a failure is noticed, and
 * what readiness hangs on.
 */
#ifndef LAZ_CLI_WATCHING_H
#define LAZ_CLI_WATCHING_H

#include "core/json.h"
#include "policy/policy.h"

struct laz_explanation;

/* `check`: one line for each check; nothing without `health`. */
void laz_watching_put(struct laz_buf *buf, const struct laz_policy *policy);
/* The same as the member "health". */
void laz_watching_json(struct laz_json *json, const struct laz_policy *policy);

/* `explain`: the same lines, each with where it was said. */
void laz_watching_explain(const struct laz_policy *policy, struct laz_explanation *ret);

#endif
