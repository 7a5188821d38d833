/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether every runtime reads the same in a text of the OCI runtime specification: its keys and the
 * types of their values. Of the values themselves nothing is judged.
 */
#ifndef LAZ_OCI_KEYS_H
#define LAZ_OCI_KEYS_H

#include "oci/spec.h"

/* LAZ_E_OCI: "process.args[2]: not a string". */
LAZ_MUST_CHECK int laz_oci_check_keys(
        const struct laz_json_doc *doc, enum laz_oci_form form, struct laz_err *err);

#endif
