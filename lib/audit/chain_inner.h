/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the writing side share. For lib/audit/chain*.c alone.
 */
#ifndef LAZ_AUDIT_CHAIN_INNER_H
#define LAZ_AUDIT_CHAIN_INNER_H

#include "audit/chain.h"
#include "audit/crypto.h"
#include "audit/packed.h"

struct laz_chain {
    const char *task;
    const char *ctr;
    uint8_t id[LAZ_CHAIN_ID_SIZE];
    char id_text[2 * LAZ_CHAIN_ID_SIZE + 1];
    uint64_t seq; /* of the next record */
    struct laz_place last;
    struct laz_signer *signer; /* NULL once the chain is closed */
    uint64_t epoch;
    uint64_t n_unsigned;
    uint64_t lost;
    struct laz_hasher *hasher;
    struct laz_hasher *block; /* under way while block_bytes > 0 */
    uint64_t block_first;
    uint64_t block_last;
    uint64_t block_bytes;
    struct laz_buf line;           /* the record that is being made */
    struct laz_buf members;        /* its d, where it is the chain's own */
    struct laz_pack_middle middle; /* of log records */
    bool is_middle_said;           /* by the last one of the open block */
};

/* Without identity, key and place. NULL with err: LAZ_E_MEMORY. Free with laz_chain_free. */
struct laz_chain *laz_chain_new(const struct laz_chain_start *start, struct laz_err *err);
/* The identity is set: everything that follows from it is, too. */
void laz_chain_know_id(struct laz_chain *chain);

#endif
