/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy compile FILE -o IMAGE: the binary form, for image builds. Writes nothing that the
 * decoder of PID 1 would not read; that it is proved and tested is the library's promise.
 */
#include "cli/loaded.h"
#include "cli/output.h"
#include "cli/replace.h"
#include "core/num.h"
#include "filter/filter.h"
#include "policy/image.h"

#define IMAGE_MODE 0644U

struct digests {
    uint8_t source[LAZ_SHA256_SIZE];
    uint8_t image[LAZ_SHA256_SIZE];
    uint8_t filters[LAZ_SHA256_SIZE];
};

static int build(const struct laz_policy *policy, enum laz_arch arch, struct laz_buf *ret,
        struct digests *ret_digests, struct laz_err *err)
{
    if (laz_filter_build_image(policy, arch, ret, err) < 0) {
        return -1;
    }
    if (ret->overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the compiled policy");
    }
    struct laz_image image;
    if (laz_image_decode(ret->data, ret->len, &image, err) < 0) {
        return laz_err_context(err, "reading back what was compiled");
    }
    struct digests digests;
    for (size_t i = 0; i < LAZ_SHA256_SIZE; i++) {
        digests.source[i] = image.source_digest[i];
    }
    laz_sha256_of(ret->data, ret->len, digests.image);
    laz_image_filter_digest(&image, digests.filters);
    *ret_digests = digests;
    return 0;
}

static void put_digest(
        struct laz_buf *buf, const char *name, const uint8_t *digest, const char *meaning)
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(digest, LAZ_SHA256_SIZE, text);
    laz_buf_printf(buf, "  %-8s%s  %s\n", name, text, meaning);
}

static int report(
        const struct laz_cli_arguments *arguments, size_t size, const struct digests *digests)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (!arguments->json) {
        laz_buf_printf(&buf, "%s: %zu bytes for %s, mode 0%o\n", arguments->output, size,
                laz_arch_name(arguments->arch), IMAGE_MODE);
        put_digest(&buf, "source", digests->source, "pins the YAML and every image of it");
        put_digest(&buf, "image", digests->image, "pins this file");
        put_digest(&buf, "filters", digests->filters, "what init.start reports");
        return laz_cli_print(&buf, LAZ_EXIT_FINE);
    }
    struct laz_json json;
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", true);
    laz_json_string(&json, "image", arguments->output);
    laz_json_string(&json, "arch", laz_arch_name(arguments->arch));
    laz_json_u64(&json, "size", size);
    laz_cli_json_digest(&json, "source_digest", digests->source);
    laz_cli_json_digest(&json, "image_digest", digests->image);
    laz_cli_json_digest(&json, "filter_digest", digests->filters);
    laz_json_object_end(&json);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}

int laz_cli_policy_compile(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    if (arguments->output == NULL) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0, "policy compile needs -o IMAGE");
        return laz_cli_fail(&err, false);
    }
    laz_cleanup_loaded struct laz_loaded loaded = {0};
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, arguments->json);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    if (!arguments->json) {
        laz_loaded_print_diagnostics(&loaded);
    }
    laz_cleanup_buf struct laz_buf image;
    laz_buf_init_heap(&image, (size_t)LAZ_IMAGE_MAX + 1); /* a NUL follows what a buffer holds */
    struct digests digests;
    if (build(loaded.policy, arguments->arch, &image, &digests, &err) < 0 ||
            laz_cli_replace_file(arguments->output, image.data, image.len, IMAGE_MODE, &err) < 0) {
        return laz_cli_fail(&err, arguments->json);
    }
    return report(arguments, image.len, &digests);
}
