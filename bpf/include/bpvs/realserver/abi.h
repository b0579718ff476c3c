/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the programs on a real server and `bpvs realserver`. Python reads it from the BTF of the shipped
 * object; a change of meaning raises AGENT_ABI. Numbers of fates are never used again.
 */
#ifndef BPVS_REALSERVER_ABI_H
#define BPVS_REALSERVER_ABI_H

#include "../abi.h"

enum agent_limits {
	AGENT_ABI = 1,
	MAX_VIPS = 4096,
	MAX_PREFIXES = 4096,
	CGROUP_PATH = 4096, /* bytes of agent_settings.cgroup, the final zero included */
};

struct agent_settings {
	__u32 abi;       /* AGENT_ABI of whoever loaded the programs */
	__be16 gue_port; /* GUE is ended at this UDP port */
	__u16 pad;
	__u64 netns;              /* cookie of the network namespace; a cgroup may hold sockets of others too */
	__u8 cgroup[CGROUP_PATH]; /* path of the cgroup whose sockets learn addresses from TOA, "" for none */
};

enum vip_flags {
	VIP_OURS = 1, /* it was not on `lo` before; noted before it is put there */
};

struct vip {
	__u32 flags; /* enum vip_flags */
};

/* Noted before it is done, so that a command that is killed leaves nothing unknown behind. */
enum device_flags {
	DEVICE_QDISC = 1,    /* the clsact qdisc is ours too */
	DEVICE_ANNOUNCE = 2, /* net.ipv4.conf.*.arp_announce was raised */
};

struct device {
	__u32 flags;    /* enum device_flags */
	__u32 announce; /* arp_announce as it was before */
};

/* A key of a longest-prefix trie; IPv4 prefixes are mapped ones, 96 bits longer. */
struct prefix {
	__u32 length;
	struct address address;
};

/* The client of a connection, as TOA told it. */
struct toa_client {
	struct address address;
	__be16 port;
	__u16 pad;
};

/* What became of packets that look like ours to care for; plain packets are not counted. */
enum fate {
	FATE_NONE = 0,

	/* the outer headers were removed, the inner packet goes on into the stack */
	ENDED_IPIP = 1, /* protocol 4 or 41: nothing between the IP headers */
	ENDED_GUE = 2,
	ENDED_GRE = 3,

	/* looked like a tunnel's, left untouched */
	LEFT_FRAGMENT = 16,  /* the outer packet came in pieces */
	LEFT_MALFORMED = 17, /* shorter than its headers claim, or headers that contradict each other */
	LEFT_UNKNOWN = 18,   /* GUE or GRE with a version, field or payload that BPVS and IPVS do not send */
	LEFT_NOT_LOCAL = 19, /* the outer destination is another host */
	LEFT_UNTRUSTED = 20, /* the outer source is not in --tunnel-from */
	LEFT_NO_VIP = 21,    /* the inner destination is not one of the VIPs */

	DROPPED_CHECKSUM = 32,   /* the GUE's or GRE's own checksum is wrong */
	DROPPED_CONGESTION = 33, /* congestion met on the way, and an inner packet that cannot tell (RFC 6040) */
	DROPPED_REFUSED = 34,    /* the kernel cannot take the outer headers off a merged packet of this kind */
	DROPPED_ARP = 35,        /* a neighbour asked for a VIP's station */

	TOA_LEARNT = 48,    /* a connection's client is known from TOA */
	TOA_UNTRUSTED = 49, /* TOA from a peer that is not in --toa-from, not believed */
	TOA_MARTIAN = 50,   /* TOA with an address that can be nobody's, not believed */

	FATE_COUNT = 64,
};

#endif
