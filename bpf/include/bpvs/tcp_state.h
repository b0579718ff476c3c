/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TCP states of IPVS (net/netfilter/ipvs/ip_vs_proto_tcp.c): next state by direction, event and state.
 * Event: RST if set, else SYN, else FIN, else ACK; a segment with none of them closes. Of a connection whose replies take
 * another way (DR, TUN) only the client's half is seen: it has a table of its own. With secure_tcp a connection is
 * established not before its server has sent an ACK, or the client where only that is seen.
 */
#ifndef BPVS_TCP_STATE_H
#define BPVS_TCP_STATE_H

#include "abi.h"

enum tcp_event {
	EVENT_SYN,
	EVENT_FIN,
	EVENT_ACK,
	EVENT_RST,
	EVENT_NONE,
};

/* Whose packets a table speaks of. */
enum view {
	VIEW_IN = DIR_IN,
	VIEW_OUT = DIR_OUT,
	VIEW_IN_ONLY,
	VIEW_SECURE = 4, /* more: the table for secure_tcp */
	VIEW_SECURE_IN = VIEW_SECURE + VIEW_IN,
	VIEW_SECURE_OUT = VIEW_SECURE + VIEW_OUT,
	VIEW_SECURE_IN_ONLY = VIEW_SECURE + VIEW_IN_ONLY,
};

#define VIEW_MASK 7  /* for the verifier, as the others */
#define EVENT_MASK 7 /* the table is padded to powers of two: the verifier understands masks */
#define STATE_MASK 15

#define NO STATE_NONE
#define ES STATE_ESTABLISHED
#define SS STATE_SYN_SENT
#define SR STATE_SYN_RECV
#define FW STATE_FIN_WAIT
#define TW STATE_TIME_WAIT
#define CL STATE_CLOSE
#define CW STATE_CLOSE_WAIT
#define LA STATE_LAST_ACK
#define LI STATE_LISTEN
#define SA STATE_SYNACK

/* clang-format off */
static const __u8 tcp_next[VIEW_MASK + 1][EVENT_MASK + 1][STATE_MASK + 1] = {
	[VIEW_IN] = {	     /* NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW },
		[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_OUT] = {
		[EVENT_SYN]  = { SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR },
		[EVENT_FIN]  = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
		[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
		[EVENT_RST]  = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_IN_ONLY] = {
		[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
		[EVENT_FIN]  = { CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
		[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_SECURE_IN] = {
		[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA },
		[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA },
		[EVENT_ACK]  = { ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA },
		[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_SECURE_OUT] = {
		[EVENT_SYN]  = { SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA },
		[EVENT_FIN]  = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
		[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
		[EVENT_RST]  = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_SECURE_IN_ONLY] = {
		[EVENT_SYN]  = { SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA },
		[EVENT_FIN]  = { CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
		[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
		[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
		[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
};
/* clang-format on */

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

static __always_inline enum tcp_event tcp_event(__u8 flags)
{
	if (flags & TCP_RST)
		return EVENT_RST;
	if (flags & TCP_SYN)
		return EVENT_SYN;
	if (flags & TCP_FIN)
		return EVENT_FIN;
	return flags & TCP_ACK ? EVENT_ACK : EVENT_NONE;
}

static __always_inline __u8 tcp_next_state(__u32 view, __u8 flags, __u32 state)
{
	__u32 event = tcp_event(flags);

	if (state >= STATE_TCP_COUNT)
		state = STATE_NONE;
	barrier_var(state);
	barrier_var(event);
	barrier_var(view);
	return tcp_next[view & VIEW_MASK][event & EVENT_MASK][state & STATE_MASK];
}

#endif
