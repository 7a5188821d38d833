/* SPDX-License-Identifier: Apache-2.0
 *
 * A chain that outlives the process that writes it: its state in bytes of a fixed size, taken back
 * whole or not at all.
 */
#include <string.h>

#include "audit/bytes.h"
#include "audit/chain_inner.h"

/* A state: magic, closed (4), identity, seq, last seq, last h, epoch, unsigned, lost, private key,
 * SHA-256 of all that. */
static const uint8_t state_magic[4] = {'l', 'z', 'c', 1};

static int hash_state(const struct laz_chain *chain, const uint8_t state[LAZ_CHAIN_STATE_SIZE],
        uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err)
{
    laz_hasher_begin(chain->hasher);
    laz_hasher_add(chain->hasher, state, LAZ_CHAIN_STATE_SIZE - LAZ_SHA256_SIZE);
    return laz_hasher_end(chain->hasher, ret, err);
}

int laz_chain_save(
        const struct laz_chain *chain, uint8_t ret[LAZ_CHAIN_STATE_SIZE], struct laz_err *err)
{
    if (chain->block_bytes > 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a chain is saved while a block is open");
    }
    uint8_t *at = ret;
    (void)memcpy(at, state_magic, sizeof(state_magic));
    at = laz_put_be(at + sizeof(state_magic), chain->signer == NULL ? 1 : 0, 4);
    (void)memcpy(at, chain->id, sizeof(chain->id));
    at = laz_put_be(at + sizeof(chain->id), chain->seq, 8);
    at = laz_put_be(at, chain->last.seq, 8);
    (void)memcpy(at, chain->last.h, sizeof(chain->last.h));
    at = laz_put_be(at + sizeof(chain->last.h), chain->epoch, 8);
    at = laz_put_be(at, chain->n_unsigned, 8);
    at = laz_put_be(at, chain->lost, 8);
    (void)memset(at, 0, LAZ_PRIVATE_KEY_SIZE);
    if (chain->signer != NULL && laz_signer_save(chain->signer, at, err) < 0) {
        return -1;
    }
    at += LAZ_PRIVATE_KEY_SIZE;
    return hash_state(chain, ret, at, err);
}

/* What was saved, in the same order. */
static int load_state(
        struct laz_chain *chain, const uint8_t state[LAZ_CHAIN_STATE_SIZE], struct laz_err *err)
{
    uint8_t digest[LAZ_SHA256_SIZE];
    if (hash_state(chain, state, digest, err) < 0) {
        return -1;
    }
    const uint8_t *at = state + sizeof(state_magic);
    uint64_t is_closed = laz_get_be(at, 4);
    at += 4;
    if (memcmp(state, state_magic, sizeof(state_magic)) != 0 || is_closed > 1 ||
            memcmp(state + LAZ_CHAIN_STATE_SIZE - sizeof(digest), digest, sizeof(digest)) != 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a chain's state is damaged");
    }
    (void)memcpy(chain->id, at, sizeof(chain->id));
    laz_chain_know_id(chain);
    at += sizeof(chain->id);
    chain->seq = laz_get_be(at, 8);
    chain->last.seq = laz_get_be(at + 8, 8);
    at += 16;
    (void)memcpy(chain->last.h, at, sizeof(chain->last.h));
    at += sizeof(chain->last.h);
    chain->epoch = laz_get_be(at, 8);
    chain->n_unsigned = laz_get_be(at + 8, 8);
    chain->lost = laz_get_be(at + 16, 8);
    at += 24;
    if (is_closed == 0) {
        chain->signer = laz_signer_load(at, err);
        return chain->signer == NULL ? -1 : 0;
    }
    return 0;
}

int laz_chain_resume(const struct laz_chain_start *start, const uint8_t state[LAZ_CHAIN_STATE_SIZE],
        struct laz_chain **ret, struct laz_err *err)
{
    struct laz_chain *chain = laz_chain_new(start, err);
    if (chain == NULL) {
        return -1;
    }
    if (load_state(chain, state, err) < 0) {
        laz_chain_free(chain);
        return -1;
    }
    *ret = chain;
    return 0;
}
