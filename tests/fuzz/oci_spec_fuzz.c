/* SPDX-License-Identifier: Apache-2.0
 *
 * A config.json that somebody else wrote, and everything that the host changes in one. What is read
 * can be changed or is refused by name; the changed text is read again; and a second pass over it
 * changes nothing.
 */
#include "fuzz.h"
#include "oci/change.h"

static bool keep(void *context, const char *name)
{
    (void)context;
    return name[0] != 'm';
}

static int make(struct laz_oci_change *change, bool is_config, struct laz_err *err)
{
    static const char *const words[] = {"CAP_KILL", "/proc/kcore"};
    const struct laz_oci_strings strings = {.items = words, .n = 2};
    static const struct laz_oci_new_mount mount = {
            .destination = "/run/x", .type = "tmpfs", .source = "tmpfs"};
    const struct laz_oci_new_hook hook = {
            .path = "/h", .args = {.items = words, .n = 1}, .env = strings, .timeout_s = 1};
    struct laz_oci_process process;
    int result = laz_oci_process(change->spec, &process, err);
    result = result < 0 ? -1 : laz_oci_clamp_capabilities(change, &strings, err);
    result = result < 0 ? -1 : laz_oci_set_no_new_privileges(change, err);
    result = result < 0 ? -1 : laz_oci_clamp_rlimit(change, "RLIMIT_CORE", 0, 0, err);
    result = result < 0 ? -1 : laz_oci_drop_environment(change, "LD_", err);
    result = result < 0 ? -1 : laz_oci_set_user(change, 0, 0, err);
    if (result == 0 && process.args != NULL) {
        result = laz_oci_prepend_args(change, 0, &strings, err);
    }
    if (!is_config) {
        return result;
    }
    result = result < 0 ? -1 : laz_oci_add_mount(change, &mount, err);
    result = result < 0 ? -1 : laz_oci_add_hook(change, LAZ_OCI_POSTSTOP, &hook, err);
    result = result < 0 ? -1 : laz_oci_mask_paths(change, &strings, err);
    result = result < 0 ? -1 : laz_oci_readonly_paths(change, &strings, err);
    result = result < 0 ? -1 : laz_oci_drop_annotations(change, "run.oci.", err);
    if (result == 0 && laz_oci_container(change->spec).seccomp != NULL) {
        result = laz_oci_narrow_seccomp(change, keep, NULL, err);
    }
    return result;
}

/* false: refused, and by name. */
static bool change(const char *text, size_t length, enum laz_oci_form form, struct laz_buf *ret)
{
    struct laz_err err = {0};
    struct laz_oci_spec spec;
    struct laz_oci_change edits;
    if (laz_oci_spec_open(text, length, form, &spec, &err) < 0) {
        require(err.kind == LAZ_E_OCI && err.message[0] != '\0');
        return false;
    }
    require(laz_oci_change_init(&edits, &spec, &err) == 0);
    bool is_good = make(&edits, form == LAZ_OCI_CONFIG, &err) == 0;
    require(is_good || (err.kind == LAZ_E_OCI && err.message[0] != '\0'));
    if (is_good) {
        require(laz_oci_change_apply(&edits, ret, &err) == 0);
    }
    laz_oci_change_done(&edits);
    laz_oci_spec_done(&spec);
    return is_good;
}

static void run(const char *text, size_t length, enum laz_oci_form form)
{
    struct laz_buf once;
    struct laz_buf twice;
    laz_buf_init_heap(&once, LAZ_OCI_TEXT_MAX);
    laz_buf_init_heap(&twice, LAZ_OCI_TEXT_MAX);
    if (change(text, length, form, &once)) {
        require(change(once.data, once.len, form, &twice));
        require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    }
    laz_buf_done(&once);
    laz_buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16384) {
        return 0;
    }
    char *text = exact_copy(data, size);
    run(text, size, LAZ_OCI_CONFIG);
    run(text, size, LAZ_OCI_PROCESS);
    free(text);
    return 0;
}
