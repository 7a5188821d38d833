/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lazaret top` is made of: the question to the container's own health socket, and the page
 * that is made of the answer.
 */
#ifndef LAZ_CLI_TOP_H
#define LAZ_CLI_TOP_H

#include "core/buf.h"

#define LAZ_TOP_DOCUMENT_MAX 262144U /* bytes of an answer; with everything full it has 20,000 */

/* The document of /healthz, appended. LAZ_E_SYSTEM: nobody answers, or somebody who is not init. */
LAZ_MUST_CHECK int laz_top_ask(struct laz_buf *ret, struct laz_err *err);

/* Lines of printable text, without escapes, appended: the state first. LAZ_E_SYSTEM: the document
 * is none. */
LAZ_MUST_CHECK int laz_top_show(const char *document, size_t length, struct laz_buf *ret,
        bool *ret_is_ready, struct laz_err *err);

#endif
