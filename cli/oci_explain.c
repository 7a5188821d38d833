/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret oci explain POLICY BUNDLE: what lazaret-shim would refuse of a bundle's config.json under
 * a policy, or what it would change. With the shim's own functions, of which none writes here.
 */
#include "cli/loaded.h"
#include "cli/output.h"
#include "oci/diff.h"
#include "oci/record.h"
#include "shim/guard.h"
#include "shim/image.h"
#include "shim/judge.h"
#include "shim/profile.h"
#include "shim/rewrite.h"

/* The lines, appended. */
static int explain(const struct laz_bundle *bundle, const struct laz_policy *policy,
        struct laz_buf *ret, struct laz_err *err)
{
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    struct laz_host_policy of;
    struct laz_plan plan = {.policy = &of, .hash = hash};
    laz_cleanup_oci_spec struct laz_oci_spec after = {.form = LAZ_OCI_CONFIG};
    laz_cleanup_buf struct laz_buf text;
    laz_cleanup_buf struct laz_buf profile;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX + 1);
    laz_buf_init_heap(&profile, LAZ_OCI_TEXT_MAX + 1);
    plan.profile = &profile;
    laz_host_policy_of(policy, &of);
    laz_image_path(of.source_digest, plan.image);
    laz_oci_root_hash("", hash);
    if (laz_judge(bundle, &of, NULL, &plan.is_privileged, err) < 0 ||
            laz_guard(bundle, &of, NULL, err) < 0 || laz_image_pin(policy, plan.pin, err) < 0 ||
            laz_profile_make(policy, &profile, err) < 0 ||
            laz_rewrite(bundle, &plan, &text, err) < 0 ||
            laz_oci_spec_open(text.data, text.len, LAZ_OCI_CONFIG, &after, err) < 0) {
        return -1;
    }
    return laz_oci_diff(&bundle->spec.doc, &after.doc, ret, err);
}

static void note_made(void)
{
    static const char text[] =
            "this bundle was made by lazaret-shim already, and lazaret-init stands in front of its "
            "command: what another pass would change is no answer. Ask about what the engine wrote";
    char memory[sizeof(text)];
    struct laz_buf note;
    laz_buf_init_fixed(&note, memory, sizeof(memory));
    laz_buf_str(&note, text);
    laz_cli_note(&note);
}

int laz_cli_oci_explain(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded;
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, false);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    laz_loaded_print_diagnostics(&loaded);
    struct laz_err err = {0};
    struct laz_bundle bundle;
    laz_cleanup_buf struct laz_buf lines;
    laz_buf_init_heap(&lines, LAZ_CLI_OUTPUT_MAX);
    result = laz_bundle_open(arguments->operands[1], &bundle, &err);
    if (result == 0 && laz_judge_is_made(&bundle)) {
        note_made();
    }
    if (result < 0 || explain(&bundle, loaded.policy, &lines, &err) < 0) {
        result = laz_cli_fail(&err, false);
    } else {
        result = laz_cli_print(&lines, LAZ_EXIT_FINE);
    }
    laz_bundle_done(&bundle);
    return result;
}
