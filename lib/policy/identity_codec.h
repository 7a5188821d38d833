/* SPDX-License-Identifier: Apache-2.0
 *
 * The identities in the section that the role `fetch` reads; only fetch_codec.c needs this.
 */
#ifndef LAZ_POLICY_IDENTITY_CODEC_H
#define LAZ_POLICY_IDENTITY_CODEC_H

#include "policy/fetch.h"
#include "policy/section.h"

void laz_identities_put(struct laz_buf *buf, const struct laz_fetch_config *config);
/* After the items. */
void laz_identities_take(struct laz_section *in, struct laz_fetch_config *config);

#endif
