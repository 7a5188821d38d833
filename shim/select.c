/* SPDX-License-Identifier: Apache-2.0
 *
 * Three places may name a policy: an annotation, a variable of the container, a file of the image.
 * None of them can name what is laxer than the host's selection, so it does not matter who wrote
 * them; and none of them is more than another, so their order does not matter either.
 */
#include "shim/select.h"

#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "shim/place.h"

#define CGROUPS_PATH_SIZE 1024
#define LENGTH(array)     (sizeof(array) / sizeof((array)[0]))

int laz_select(const struct laz_call *call, const struct laz_bundle *bundle, const char **ret,
        struct laz_err *err)
{
    char path[CGROUPS_PATH_SIZE] = "";
    const struct laz_json_node *node = bundle->container.cgroups_path;
    if (node != NULL && !laz_json_copy(&bundle->spec.doc, node, path, sizeof(path))) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "linux.cgroupsPath is too long, or no text");
    }
    *ret = laz_runtime_select(call->runtime, call->argv0, node == NULL ? NULL : path);
    if (*ret == NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "no policy of " LAZ_RUNTIME_FILE
                " is for this container (default-policy), with cgroup \"%.200s\"",
                path);
    }
    return 0;
}

/* ---- who names one ---- */

/* Each: "" in ret where it names none. */
typedef int name_fn(
        const struct laz_bundle *bundle, char ret[LAZ_OCI_WORD_SIZE], struct laz_err *err);

static int by_annotation(
        const struct laz_bundle *bundle, char ret[LAZ_OCI_WORD_SIZE], struct laz_err *err)
{
    const struct laz_json_node *node = laz_oci_annotation(&bundle->spec, LAZ_SELECT_ANNOTATION);
    ret[0] = '\0';
    if (node != NULL &&
            (!laz_json_copy(&bundle->spec.doc, node, ret, LAZ_OCI_WORD_SIZE) || ret[0] == '\0')) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no name of a policy");
    }
    return 0;
}

/* A path is for a lazaret-init of the image, and names nothing of this host's. */
static int by_variable(
        const struct laz_bundle *bundle, char ret[LAZ_OCI_WORD_SIZE], struct laz_err *err)
{
    char text[sizeof(LAZ_SELECT_VARIABLE) + LAZ_OCI_WORD_SIZE];
    const struct laz_json_node *node = laz_oci_environment(&bundle->spec, LAZ_SELECT_VARIABLE);
    ret[0] = '\0';
    if (node == NULL || laz_oci_begins(&bundle->spec, node, LAZ_SELECT_VARIABLE "=/")) {
        return 0;
    }
    if (!laz_json_copy(&bundle->spec.doc, node, text, sizeof(text)) ||
            text[sizeof(LAZ_SELECT_VARIABLE)] == '\0') {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no name of a policy");
    }
    (void)laz_format(ret, LAZ_OCI_WORD_SIZE, "%s", text + sizeof(LAZ_SELECT_VARIABLE));
    return 0;
}

/* One line. */
static int by_file(
        const struct laz_bundle *bundle, char ret[LAZ_OCI_WORD_SIZE], struct laz_err *err)
{
    size_t length = 0;
    struct laz_err why = {0};
    laz_cleanup_fd int fd = -1;
    ret[0] = '\0';
    if (laz_place_open(bundle, LAZ_SELECT_FILE, &fd, err) < 0) {
        return -1;
    }
    if (fd < 0) {
        return 0;
    }
    bool is_read = laz_fd_read_all(fd, ret, LAZ_OCI_WORD_SIZE - 1, &length, &why) == 0;
    length -= length > 0 && ret[length - 1] == '\n' ? 1 : 0;
    if (!is_read || length == 0 || memchr(ret, '\0', length) != NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, why.sys_errno, "no name of a policy in one line");
    }
    ret[length] = '\0';
    return 0;
}

/* ---- which one counts ---- */

/* strictest becomes the stricter of the two. */
static int take(const struct laz_call *call, const char *host, const char *wanted,
        char strictest[LAZ_OCI_WORD_SIZE], struct laz_err *err)
{
    bool widens = false;
    struct laz_widening widening;
    if (strcmp(wanted, host) == 0 || strcmp(wanted, strictest) == 0) {
        return 0;
    }
    if (laz_call_find_widening(call, wanted, host, &widens, &widening, err) < 0) {
        return -1;
    }
    if (widens) {
        return laz_err_set(err, LAZ_E_POLICY_WIDENED, 0, "policy %s allows what %s does not: %s %s",
                wanted, host, widening.key, widening.value);
    }
    if (strcmp(host, strictest) != 0 &&
            laz_call_find_widening(call, wanted, strictest, &widens, &widening, err) < 0) {
        return -1;
    }
    if (!widens) {
        (void)laz_format(strictest, LAZ_OCI_WORD_SIZE, "%s", wanted);
        return 0;
    }
    if (laz_call_find_widening(call, strictest, wanted, &widens, &widening, err) < 0) {
        return -1;
    }
    return widens ? laz_err_set(err, LAZ_E_REQUEST, 0,
                            "policy %s, and policy %s is named too: each allows what the other "
                            "does not, such as %s %s",
                            wanted, strictest, widening.key, widening.value)
                  : 0;
}

int laz_select_stricter(struct laz_call *call, const struct laz_bundle *bundle,
        char name[LAZ_OCI_WORD_SIZE], struct laz_err *err)
{
    static const struct {
        const char *who;
        name_fn *find;
    } places[] = {
            {"annotation " LAZ_SELECT_ANNOTATION, by_annotation},
            {LAZ_SELECT_VARIABLE, by_variable},
            {LAZ_SELECT_FILE " of the image", by_file},
    };
    _Static_assert(LENGTH(places) <= LAZ_NOTE_BY_MAX, "all may be noted");
    struct laz_note *note = &call->note;
    char host[LAZ_OCI_WORD_SIZE];
    (void)laz_format(host, sizeof(host), "%s", name);
    (void)laz_format(note->selected, sizeof(note->selected), "%s", name);
    for (size_t i = 0; i < LENGTH(places); i++) {
        char named[LAZ_OCI_WORD_SIZE];
        call->ask->context = places[i].who; /* also of what lazaret-prepare refuses */
        if (places[i].find(bundle, named, err) < 0 ||
                (named[0] != '\0' && take(call, host, named, name, err) < 0)) {
            return laz_err_context(err, "%s", places[i].who);
        }
        if (named[0] != '\0') {
            note->by[note->n_by++] = places[i].who;
        }
    }
    call->ask->context = NULL;
    return 0;
}
