/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Defences under load (net/netfilter/ipvs/ip_vs_ctl.c, update_defense_level; ip_vs_conn.c, ip_vs_random_dropentry): the
 * settings drop_packet, drop_entry and secure_tcp are 0 off, 1 waiting, 2 called for, 3 always.
 *
 * What IPVS counts in pages of memory are free rows of `conns` here: all memory is taken when loading. Once a walk of
 * expire.h, which counts the rows in use, 1 becomes 2 while fewer than amemthresh are free, and 2 becomes 1 again.
 */
#ifndef BPVS_DEFENCE_H
#define BPVS_DEFENCE_H

#include "clock.h"
#include "maps.h"

#define DEFENCE_WAITS 1
#define DEFENCE_CALLED 2
#define DEFENCE_ALWAYS 3

#define DROP_ATTEMPTS 8 /* CPUs in each other's way more often than that let a packet pass */

#define DROP_ENTRY_SHARE 32 /* one row of so many is looked at in a walk */
#define DROP_ENTRY_IDLE (60 * NS_PER_S)

static __always_inline bool defence_is_up(__u32 mode)
{
	return mode >= DEFENCE_CALLED;
}

/*
 * drop_packet: is this one of the packets that open no connection? The first is, then every rate-th. Not static: verified
 * once.
 */
__noinline int drop_packet(void)
{
	struct settings *settings = settings_get();
	struct runtime *runtime = runtime_get();
	__u32 rate;

	if (!settings || !runtime)
		return false;
	rate = settings->vs.drop_packet == DEFENCE_ALWAYS ? settings->vs.am_droprate : runtime->drop_rate;
	if (!rate)
		return false;
	for (int i = 0; i < DROP_ATTEMPTS; i++) {
		__u32 left = runtime->drop_left;
		bool is_one = left <= 1;

		if (__sync_val_compare_and_swap(&runtime->drop_left, left, is_one ? rate : left - 1) == left)
			return is_one;
	}
	return false;
}

/* A command may change the setting at the same time: then it is right. */
static __always_inline void defence_call(__u32 *mode, bool is_short)
{
	if (is_short)
		__sync_val_compare_and_swap(mode, DEFENCE_WAITS, DEFENCE_CALLED);
	else
		__sync_val_compare_and_swap(mode, DEFENCE_CALLED, DEFENCE_WAITS);
}

/* After a walk that found so many rows in use. */
static __always_inline void defend(struct settings *settings, struct runtime *runtime, __u32 used)
{
	__u32 free = settings->conn_rows > used ? settings->conn_rows - used : 0;
	__u32 wanted = settings->vs.amemthresh;
	bool is_short = free < wanted;

	if (is_short)
		runtime->drop_rate = runtime->drop_left = wanted / (wanted - free);
	defence_call(&settings->vs.drop_entry, is_short);
	defence_call(&settings->vs.drop_packet, is_short);
	defence_call(&settings->vs.secure_tcp, is_short);
}

/*
 * drop_entry: is this one of the connections that end early? Those half open are, and templates none of whose connections
 * got through. IPVS spares an established connection, or a flow of datagrams, of more than 8 packets. These are not
 * counted here: it spares every established one, and of datagrams none that rests.
 */
static __always_inline bool drop_entry(const struct conn *conn, __u32 idle)
{
	__u8 state = conn->state & CONN_STATE;

	if (bpf_get_prandom_u32() % DROP_ENTRY_SHARE)
		return false;
	if (conn->state & CONN_TEMPLATE)
		return state == STATE_NONE;
	if (state == STATE_UDP)
		return idle >= clock_ms(DROP_ENTRY_IDLE);
	return state == STATE_SYN_RECV || state == STATE_SYNACK || state == STATE_SCTP_INIT1 ||
	       state == STATE_SCTP_INIT;
}

#endif
