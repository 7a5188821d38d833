/* SPDX-License-Identifier: Apache-2.0
 *
 * The workload's user and groups in a section for a helper: who may have no hand in the files that
 * the helper reads as root.
 */
#ifndef LAZ_POLICY_PARTY_H
#define LAZ_POLICY_PARTY_H

#include "core/trusted.h"
#include "policy/section.h"

void laz_section_put_party(struct laz_buf *buf, const struct laz_party *party);
void laz_section_party(struct laz_section *in, struct laz_party *ret);

#endif
