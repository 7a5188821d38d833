/* SPDX-License-Identifier: Apache-2.0
 *
 * A state document that a runtime gives a hook, and the host's own record of a container. What is
 * taken can be used for a file's name and a path as it is; and a record that is read is written
 * again as one that is read the same.
 */
#include "fuzz.h"
#include "oci/record.h"
#include "oci/state.h"

static void run_state(const char *text, size_t size)
{
    struct laz_err err = {0};
    struct laz_oci_state state;
    if (laz_oci_state_read(text, size, &state, &err) < 0) {
        require(err.kind == LAZ_E_OCI_STATE && err.message[0] != '\0');
        return;
    }
    require(laz_oci_is_id(state.id) && strchr(state.id, '/') == NULL && state.id[0] != '.');
    require(state.bundle[0] == '/' && laz_oci_status_name(state.status) != NULL);
    require(state.pid <= 1U << 22);
    laz_oci_state_done(&state);
}

static void run_record(const char *text, size_t size)
{
    struct laz_err err = {0};
    struct laz_oci_record record;
    struct laz_oci_record again;
    struct laz_buf once;
    struct laz_buf twice;
    if (laz_oci_record_read(text, size, &record, &err) < 0) {
        require(err.kind == LAZ_E_OCI_STATE && err.message[0] != '\0');
        return;
    }
    laz_buf_init_heap(&once, 8 * LAZ_OCI_RECORD_MAX);
    laz_buf_init_heap(&twice, 8 * LAZ_OCI_RECORD_MAX);
    require(laz_oci_record_write(&record, &once, &err) == 0);
    if (once.len <= LAZ_OCI_RECORD_MAX) {
        require(laz_oci_record_read(once.data, once.len, &again, &err) == 0);
        require(laz_oci_record_write(&again, &twice, &err) == 0);
        require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    }
    laz_buf_done(&once);
    laz_buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 * LAZ_OCI_RECORD_MAX) {
        return 0;
    }
    char *text = exact_copy(data, size);
    run_state(text, size);
    run_record(text, size);
    free(text);
    return 0;
}
