/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A persistence template and its connections: whom it counts, and when it ends. How one is found and made is in
 * persist.h.
 *
 * Each connection that a template sent to its server is counted in template->control until it ends. A template whose time
 * is over does not end before them, but waits a minute more, again and again.
 */
#ifndef BPVS_TEMPLATE_H
#define BPVS_TEMPLATE_H

#include "clock.h"
#include "maps.h"

#define TEMPLATE_ENDED 0x80000000U /* template->control: nobody joins any more */
#define TEMPLATE_AGAIN 60          /* seconds; from its first extension on a template's whole time */

static __always_inline struct template *conn_template(struct conn *conn)
{
	return (struct template *)&conn->back;
}

/* One more connection, which restarts the timer. False: the template has just ended, and may be another row by now. */
static __always_inline bool template_join(struct conn *template, __u32 stamp)
{
	if (__sync_fetch_and_add(&template->control, 1) < TEMPLATE_ENDED && template->stamp == stamp) {
		template->seen = clock_ms(clock_ns());
		return true;
	}
	__sync_fetch_and_add(&template->control, -1);
	return false;
}

/* The template that a connection's `control` names, or NULL. While the connection counts there it stays. */
static __always_inline struct conn *template_of(__u32 control)
{
	__u32 row = control - 1;

	return control ? bpf_map_lookup_elem(&conns, &row) : NULL;
}

/* A connection that it counts is gone. */
static __always_inline void template_leave(__u32 control)
{
	struct conn *template = template_of(control);

	if (template)
		__sync_fetch_and_add(&template->control, -1);
}

/* A connection of the template got through: TCP or SCTP established, or a datagram answered. */
static __always_inline void template_assure(__u32 control)
{
	struct conn *template = template_of(control);

	if (template)
		__sync_fetch_and_or(&template->state, STATE_ASSURED);
}

/* The time of a template is over: may it end? If not, it is given more. */
static __always_inline bool template_may_end(struct conn *template, __u32 now)
{
	__u32 before = __sync_val_compare_and_swap(&template->control, 0, TEMPLATE_ENDED);

	if (before == 0 || before == TEMPLATE_ENDED)
		return true;
	conn_template(template)->timeout_s = TEMPLATE_AGAIN;
	template->seen = now;
	return false;
}

#endif
