/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers and tokens that have a form of their own. Each function is asked whether one begins
 * at a place, and looks at a bounded number of bytes.
 */
#ifndef LAZ_LOG_FORMS_H
#define LAZ_LOG_FORMS_H

#include "log/redact.h"
#include "log/scan.h"

/* Length of what begins at `at`, or 0. */
size_t laz_form_ssn(struct laz_redact_text *text, size_t at);
size_t laz_form_pan(struct laz_redact_text *text, size_t at);
size_t laz_form_jwt(struct laz_redact_text *text, size_t at);
size_t laz_form_aws_id(struct laz_redact_text *text, size_t at);
/* A secret behind its name: *ret_kept is how long the name is, with what stands between. */
size_t laz_form_aws_secret(struct laz_redact_text *text, size_t at, size_t *ret_kept);

/* Does a word begin at `at`? */
bool laz_form_is_front(const struct laz_redact_text *text, size_t at);

/* How they begin. */
void laz_form_ssn_scan(struct laz_scan_form *form);
void laz_form_pan_scan(struct laz_scan_form *form);
void laz_form_jwt_scan(struct laz_scan_form *form);
void laz_form_aws_id_scan(struct laz_scan_form *form);
void laz_form_aws_secret_scan(struct laz_scan_form *form);

#endif
