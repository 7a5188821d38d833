/* SPDX-License-Identifier: Apache-2.0
 *
 * Only of a program that is known to be a lazaret-init is it known which words are its options. It
 * is not run: what is known of it is its file in the image, and what runs is the host's.
 */
#include "shim/own_init.h"

#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/rooted.h"
#include "shim/call.h"
#include "shim/clamp.h"
#include "shim/hash.h"
#include "shim/place.h"

#define NAME          "lazaret-init"
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct words {
    const struct laz_bundle *bundle;
    const struct laz_json_node *at; /* NULL: behind the last */
    size_t n;                       /* in front of it */
};

static void step(struct words *words)
{
    words->at = laz_json_next(&words->bundle->spec.doc, words->bundle->process.args, words->at);
    words->n++;
}

static bool is_word(const struct words *words, const char *text)
{
    return laz_oci_is(&words->bundle->spec, words->at, text);
}

static int refuse(struct laz_err *err, const char *why)
{
    return laz_err_set(err, LAZ_E_REQUEST, 0,
            "the image brings its own lazaret-init, and this host its own: %s (image-init)", why);
}

/* ---- an engine's ---- */

static bool is_init_of_engine(const struct words *words)
{
    static const char *const paths[] = {"/sbin/docker-init", "/run/podman-init", "/dev/init"};
    const struct laz_oci_spec *spec = &words->bundle->spec;
    const struct laz_json_node *mounts = words->bundle->container.mounts;
    const struct laz_json_node *node = NULL;
    for (size_t i = 0; i < LENGTH(paths); i++) {
        while (is_word(words, paths[i]) && mounts != NULL &&
                (node = laz_json_next(&spec->doc, mounts, node)) != NULL) {
            if (laz_oci_is(spec, laz_oci_mount(spec, node).destination, paths[i])) {
                return true;
            }
        }
    }
    return false;
}

static void skip_engines(struct words *words)
{
    struct words behind = *words;
    if (is_init_of_engine(words)) {
        step(&behind);
        if (is_word(&behind, "--")) {
            step(&behind);
            *words = behind;
        }
    }
}

/* ---- the host's, of an earlier pass ---- */

/* The digest may be another policy's by now. */
static void skip_hosts(struct words *words)
{
    static const char *const hosts[] = {LAZ_CONTAINER_INIT, "--policy", LAZ_CONTAINER_POLICY};
    struct words behind = *words;
    for (size_t i = 0; i < LENGTH(hosts); i++) {
        if (!is_word(&behind, hosts[i])) {
            return;
        }
        step(&behind);
    }
    if (is_word(&behind, "--policy-sha256")) {
        step(&behind);
        step(&behind);
    }
    if (is_word(&behind, "--")) {
        step(&behind);
        *words = behind;
    }
}

/* ---- the image's ---- */

static int hash_file(int fd, char ret[LAZ_HASH_SIZE], struct laz_err *err)
{
    return laz_hash_file(fd, ret) ? 0 : refuse(err, "its file cannot be read, or is too large");
}

static int check_file(
        const struct laz_runtime *runtime, const struct words *words, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    char images[LAZ_HASH_SIZE];
    char hosts[LAZ_HASH_SIZE];
    laz_cleanup_fd int image = -1;
    laz_cleanup_fd int host = -1;
    if (!laz_json_copy(&words->bundle->spec.doc, words->at, path, sizeof(path)) || path[0] != '/') {
        return refuse(err, "it is not named by an absolute path");
    }
    if (laz_place_open(words->bundle, path, &image, err) < 0) {
        return laz_err_context(err, "%.200s of the image (image-init)", path);
    }
    if (image < 0) {
        return refuse(err, "the image has no file of that name");
    }
    if (hash_file(image, images, err) < 0 ||
            laz_rooted_open(LAZ_HOST_PROGRAMS "/" NAME, &host, err) < 0 ||
            hash_file(host, hosts, err) < 0) {
        return -1;
    }
    bool is_known = strcmp(images, hosts) == 0;
    for (size_t i = 0; !is_known && i < runtime->n_known_inits; i++) {
        is_known = strcmp(images, runtime->known_inits[i]) == 0;
    }
    return is_known ? 0
                    : laz_err_set(err, LAZ_E_REQUEST, 0,
                              "the image's own lazaret-init is another one than this host's, with "
                              "SHA-256 %s (known-inits)",
                              images);
}

/* As init/pid1/options.c reads them; what does not run a command is no option here. */
static int skip_options(struct words *words, struct laz_err *err)
{
    static const char *const options[] = {"--policy", "--policy-sha256", "--events"};
    const struct laz_oci_spec *spec = &words->bundle->spec;
    if (is_word(words, "probe")) {
        return refuse(err, "it is not asked to run a command");
    }
    while (words->at != NULL && laz_oci_begins(spec, words->at, "-")) {
        bool is_known = is_word(words, "--");
        if (is_known) {
            step(words);
            return 0;
        }
        for (size_t i = 0; !is_known && i < LENGTH(options); i++) {
            char joined[32];
            (void)laz_format(joined, sizeof(joined), "%s=", options[i]);
            bool is_apart = is_word(words, options[i]);
            is_known = is_apart || laz_oci_begins(spec, words->at, joined);
            if (is_apart) {
                step(words);
            }
        }
        if (!is_known || words->at == NULL) {
            return refuse(
                    err, "it has an option that is not --policy, --policy-sha256 or --events");
        }
        step(words);
    }
    return 0;
}

static bool is_images(const struct words *words)
{
    return words->at != NULL && !is_word(words, LAZ_CONTAINER_INIT) &&
            (is_word(words, NAME) ||
                    laz_clamp_ends_with(&words->bundle->spec, words->at, "/" NAME));
}

int laz_own_init_find(const struct laz_runtime *runtime, const struct laz_bundle *bundle,
        struct laz_own_init *ret, struct laz_err *err)
{
    struct words words = {.bundle = bundle};
    words.at = bundle->process.args == NULL
            ? NULL
            : laz_json_next(&bundle->spec.doc, bundle->process.args, NULL);
    *ret = (struct laz_own_init){0};
    skip_engines(&words);
    skip_hosts(&words);
    if (is_images(&words)) {
        if (runtime->image_init != LAZ_IMAGE_INIT_REPLACE) {
            return refuse(err, "let it be replaced, or start the image's command without it");
        }
        if (check_file(runtime, &words, err) < 0) {
            return -1;
        }
        step(&words);
        if (skip_options(&words, err) < 0) {
            return -1;
        }
        ret->is_images = true;
    }
    ret->n_words = words.n;
    return words.at != NULL ? 0
                            : laz_err_set(err, LAZ_E_REQUEST, 0, "a container without a command");
}
