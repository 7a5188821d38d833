/* SPDX-License-Identifier: Apache-2.0
 *
 * Words in front of a container's command that are an init's, in whose place the host's own comes.
 */
#ifndef LAZ_SHIM_OWN_INIT_H
#define LAZ_SHIM_OWN_INIT_H

#include "policy/runtime.h"
#include "shim/bundle.h"

struct laz_own_init {
    size_t n_words; /* of process.args; 0: none */
    bool is_images; /* the image's own lazaret-init is among them, whose policy no longer counts */
};

/* An engine's, or the image's own lazaret-init with its options, where runtime.yaml lets it be
 * replaced and it is, byte for byte, one that is known. LAZ_E_REQUEST where it is not; also where
 * there is no command. */
LAZ_MUST_CHECK int laz_own_init_find(const struct laz_runtime *runtime,
        const struct laz_bundle *bundle, struct laz_own_init *ret, struct laz_err *err);

#endif
