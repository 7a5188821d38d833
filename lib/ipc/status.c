/* SPDX-License-Identifier: Apache-2.0
 *
 * STATUS, field by field. libc only: linked into PID 1.
 */
#include "ipc/status.h"

void laz_status_put(struct laz_buf *buf, const struct laz_status *status)
{
    laz_message_u8(buf, (uint8_t)status->phase);
    laz_message_u32(buf, (uint32_t)status->exit_code);
    laz_message_u32(buf, (uint32_t)status->forced_code);
    laz_message_u32(buf, (uint32_t)status->stop_signal);
    laz_message_u64(buf, status->stop_ns);
    laz_message_u64(buf, status->started_ns);
    laz_message_u32(buf, (uint32_t)status->pid);
    laz_message_u64(buf, status->denied);
    laz_message_u64(buf, status->held);
    laz_message_u64(buf, status->reaped);
    laz_message_u64(buf, status->signals);
    laz_message_u64(buf, status->restarts);
    laz_message_u64(buf, status->degraded);
    laz_message_u8(buf, status->mode);
    laz_message_u8(buf, status->has_started);
    laz_message_u32(buf, status->n_items);
    for (uint32_t i = 0; i < status->n_items; i++) {
        laz_message_u8(buf, (uint8_t)status->items[i].state);
        laz_message_u64(buf, status->items[i].expires);
    }
}

bool laz_status_take(const struct laz_message *message, struct laz_status *ret)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint8_t phase = laz_fields_u8(&fields);
    struct laz_status status = {.exit_code = (int32_t)laz_fields_u32(&fields)};
    status.forced_code = (int32_t)laz_fields_u32(&fields);
    status.stop_signal = (int32_t)laz_fields_u32(&fields);
    status.stop_ns = laz_fields_u64(&fields);
    status.started_ns = laz_fields_u64(&fields);
    status.pid = (int32_t)laz_fields_u32(&fields);
    status.denied = laz_fields_u64(&fields);
    status.held = laz_fields_u64(&fields);
    status.reaped = laz_fields_u64(&fields);
    status.signals = laz_fields_u64(&fields);
    status.restarts = laz_fields_u64(&fields);
    status.degraded = laz_fields_u64(&fields);
    status.mode = laz_fields_u8(&fields);
    uint8_t has_started = laz_fields_u8(&fields);
    status.has_started = has_started == 1;
    status.n_items = laz_fields_u32(&fields);
    bool ok = phase < LAZ_PHASE_COUNT && has_started <= 1 && status.n_items <= LAZ_STATUS_ITEMS_MAX;
    for (uint32_t i = 0; ok && i < status.n_items; i++) {
        uint8_t state = laz_fields_u8(&fields);
        status.items[i].state = (enum laz_control_state)state;
        status.items[i].expires = laz_fields_u64(&fields);
        ok = state < LAZ_CONTROL_STATE_COUNT;
    }
    status.phase = (enum laz_phase)phase;
    *ret = status;
    return ok && laz_fields_done(&fields);
}
