/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy schema, lazaret policy reference, and those of the host's file: the field table,
 * printed.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "policy/runtime.h"

static int print(void write(struct laz_buf *ret))
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    write(&buf);
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}

int laz_cli_policy_schema(const struct laz_cli_arguments *arguments)
{
    (void)arguments; /* JSON with and without --json */
    return print(laz_policy_schema);
}

int laz_cli_policy_reference(const struct laz_cli_arguments *arguments)
{
    (void)arguments;
    return print(laz_policy_reference);
}

int laz_cli_runtime_schema(const struct laz_cli_arguments *arguments)
{
    (void)arguments;
    return print(laz_runtime_schema);
}

int laz_cli_runtime_reference(const struct laz_cli_arguments *arguments)
{
    (void)arguments;
    return print(laz_runtime_reference);
}
