/* SPDX-License-Identifier: Apache-2.0
 *
 * User and groups, written and read. Apart from section.c, for PID 1 has no need of them.
 */
#include "policy/party.h"

void laz_section_put_party(struct laz_buf *buf, const struct laz_party *party)
{
    laz_section_put_uint(buf, party->uid, 4);
    laz_section_put_uint(buf, party->gid, 4);
    laz_section_put_uint(buf, party->n_groups, 4);
    for (uint32_t i = 0; i < party->n_groups; i++) {
        laz_section_put_uint(buf, party->groups[i], 4);
    }
}

void laz_section_party(struct laz_section *in, struct laz_party *ret)
{
    ret->uid = laz_section_u32(in, 0, UINT32_MAX);
    ret->gid = laz_section_u32(in, 0, UINT32_MAX);
    ret->n_groups = laz_section_u32(in, 0, LAZ_PARTY_GROUPS_MAX);
    for (uint32_t i = 0; i < ret->n_groups; i++) {
        ret->groups[i] = laz_section_u32(in, 0, UINT32_MAX);
    }
}
