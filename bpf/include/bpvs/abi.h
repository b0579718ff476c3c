/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between data path and control path: keys, values, flags, verdicts.
 *
 * Nothing else is known to both sides. Python reads every layout and every number below from the objects' BTF
 * (tools/gen_abi.py); a change of meaning raises ABI_VERSION. Numbers of verdicts are never used again.
 */
#ifndef BPVS_ABI_H
#define BPVS_ABI_H

#include <linux/types.h>

enum limits {
	ABI_VERSION = 1,
	MAX_SERVICES = 4096,  /* rows of `services`, row 0 unused */
	MAX_DESTS = 16384,    /* rows of `dests`, row 0 unused */
	MAX_SERVERS = 65536,  /* rows of `servers`, shared by all plans */
	MAX_STATIONS = 4096,  /* rows of `stations`; interfaces with a higher index carry no XDP */
	MIN_CONNS = 1024,     /* smallest connection table */
	LOOPBACK_IFINDEX = 1, /* `lo` has this index in every network namespace */
};

/* An IPv4 (as ::ffff:a.b.c.d) or IPv6 address, network byte order. */
struct address {
	__be32 word[4];
};

/* What identifies one direction of a flow. */
struct flow_key {
	struct address src;
	struct address dst;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 pad[3];
};

enum direction {
	DIR_IN,  /* client to virtual service */
	DIR_OUT, /* real server to client */
};

/* Where a direction's connection lies. */
struct flow {
	__u32 slot;  /* row of `conns` */
	__u32 stamp; /* generation of the row << 1 | enum direction */
};

/* A MAC address, in halves of words: frames begin at even addresses, and copying bytes one by one takes its time. */
struct mac {
	__u16 word[3];
};

/* How to reach the next hop: a remembered answer of the FIB. */
struct hop {
	__u32 ifindex; /* 0: nothing remembered */
	struct mac dst;
	struct mac src;
	__u32 mtu;   /* bytes of IP packet */
	__u32 until; /* stale from here on; milliseconds of 2^20 ns, see clock_ms() */
};

/* TCP numbers as the kernel's IP_VS_TCP_S_* */
enum conn_state {
	STATE_NONE,
	STATE_ESTABLISHED,
	STATE_SYN_SENT,
	STATE_SYN_RECV,
	STATE_FIN_WAIT,
	STATE_TIME_WAIT,
	STATE_CLOSE,
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_LISTEN,
	STATE_SYNACK,
	STATE_TCP_COUNT,
	STATE_UDP = STATE_TCP_COUNT,
	STATE_NEW, /* scheduled, its first packet not yet forwarded */
	STATE_COUNT,
};

/* conn.state: enum conn_state in the low byte, and */
enum conn_bits {
	CONN_STATE = 0xff,
	CONN_ACTIVE = 1 << 8,        /* counted in dest.active */
	CONN_INACTIVE = 1 << 9,      /* counted in dest.inactive */
	CONN_USED = 1 << 10,         /* without: the row holds no connection */
	CONN_LOCAL_CLIENT = 1 << 11, /* client is a socket of the director */
};

/* numbers of the kernel's IP_VS_CONN_F_* */
enum method {
	METHOD_NAT = 0,
};

/* A connection: one row of `conns`, found through two keys in `flows`. */
struct conn {
	struct address client;
	struct address virtual;
	struct address server;
	__be16 client_port;
	__be16 virtual_port;
	__be16 server_port;
	__u8 protocol;
	__u8 method;
	__u32 dest;      /* row of `dests` */
	__u32 stamp;     /* generation: one more each time the row is freed */
	__u64 seen;      /* last packet, ns of CLOCK_MONOTONIC, at most SEEN_GRAIN behind */
	__u32 state;     /* enum conn_state | enum conn_bits */
	__u32 delta;     /* ones' complement sum of (server - virtual address), for checksums */
	struct hop back; /* next hop toward the client */
};

/* One real server as a plan lists it; never changed while a plan shows it. */
struct server {
	struct address address;
	__be16 port; /* 0: the packet's own */
	__u8 method;
	__u8 pad;
	__u32 weight;
	__u32 dest; /* row of `dests` */
	__u32 reserved;
};

enum scheduler {
	SCHED_RR = 1,
	SCHED_WRR,
};

/* Connections, packets and bytes (IP length) of a real server or a service. */
struct counters {
	__u64 connections;
	__u64 in_packets;
	__u64 out_packets;
	__u64 in_bytes;
	__u64 out_bytes;
};

/* What each CPU keeps of a real server: what it counted there, and the next hop toward it. One cache line. */
struct lane {
	struct counters counters;
	struct hop hop;
};

/*
 * How a service distributes: written whole while nobody looks at it, then shown by one store to service.current.
 * `turn` alone moves afterwards; only the data path moves it.
 */
struct plan {
	__u64 turn;      /* the scheduler's memory, see sched/ */
	__u32 scheduler; /* enum scheduler */
	__u32 first;     /* its servers: rows first .. first + count - 1 of `servers`, newest server first */
	__u32 count;
	__u32 step; /* wrr: greatest common divisor of the positive weights */
	__u32 top;  /* wrr: greatest weight - (step - 1) */
	__u32 pad;
	struct counters left; /* what servers that were removed had counted */
	struct counters zero; /* what `ipvsadm -Z` takes off the display */
};

/* A virtual service. */
struct service {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 family;   /* AF_INET or AF_INET6; 0: the row is unused */
	__u32 current; /* which of the two plans is in force */
	struct plan plan[2];
};

struct service_key {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

enum dest_flags {
	DEST_USED = 1,   /* the row names a real server */
	DEST_LISTED = 2, /* a plan in force lists it; without: its connections' packets are dropped */
};

/* What a real server keeps while plans come and go: identity and connection counts. */
struct dest {
	struct address address;
	struct address virtual;
	__be16 port;
	__be16 virtual_port;
	__u8 protocol;
	__u8 family; /* of the virtual service */
	__u8 flags;  /* enum dest_flags */
	__u8 pad;
	__u32 service; /* row of `services` when last listed */
	__u32 active;  /* connections; the data path counts */
	__u32 inactive;
	__u32 reserved;
	struct counters zero; /* what `ipvsadm -Z` takes off the display */
};

/* Rates by IPVS's estimator (net/netfilter/ipvs/ip_vs_est.c): scaled by 2^10 (connections, packets) and 2^5 (bytes). */
struct rates {
	struct counters last; /* dest: counters at the last tick; service: increase since then */
	struct counters average;
};

/* Settings of the instance that commands may change while packets flow. */
struct settings {
	__u32 abi;           /* ABI_VERSION of whoever loaded the programs */
	__u32 services_ipv4; /* 0: every IPv4 packet passes untouched */
	__u32 services_ipv6;
	__u32 dest_high; /* rows of `dests` and `services` at and above these were never used */
	__u32 service_high;
	__u32 timeout_s[STATE_COUNT];
	__u32 unsettled;  /* a command was about to make maps agree with `services`; the next one does it */
	__u32 sysctls;    /* bit i: the loader switched on the i-th of its sysctls, which was off */
	__u32 mode;       /* enum attach_mode */
	__u32 restricted; /* only the interfaces in `attachments` are wanted */
};

/* Counters of the data path itself. */
struct runtime {
	__u32 conn_high;     /* rows of `conns` at and above this were never used */
	__u32 sweep;         /* next row to look at for expiry */
	__u32 estimate;      /* next eighth of the rows to estimate */
	__u32 answers;       /* ICMP errors sent in this second */
	__u64 answers_since; /* ns of CLOCK_MONOTONIC */
};

/* What an interface carries of ours. */
enum attachment_flags {
	ATTACHED_TC = 1,
	ATTACHED_XDP = 2,
	OWNS_QDISC = 4, /* the clsact qdisc is ours too */
};
struct attachment {
	__u32 flags; /* enum attachment_flags, 0: looked at and left alone; noted before it is done */
};

/* The MAC address of an interface that carries XDP; zero: not known. */
struct station {
	struct mac mac;
	__u16 pad;
};

enum attach_mode {
	MODE_AUTO, /* XDP where the driver does it natively and nothing is lost, TC everywhere */
	MODE_XDP,  /* XDP and TC */
	MODE_TC,
};

/*
 * What became of a packet. Forwarded packets are counted by their real server; all others here, by name.
 */
enum verdict {
	FORWARDED = 0,

	/* handed on to the stack, untouched */
	PASS_IDLE = 1,          /* no virtual service of that family */
	PASS_NOT_IP = 2,        /* neither IPv4 nor IPv6, or a VLAN tag: its own interface will see it */
	PASS_NOT_FOR_HOST = 3,  /* the frame is addressed to another station */
	PASS_NOT_TRANSPORT = 4, /* not TCP, UDP or an ICMP error */
	PASS_MALFORMED = 5,     /* shorter than its headers claim, or with an IPv4 address in an IPv6 header */
	PASS_FRAGMENT = 6,      /* ports unknown */
	PASS_NO_SERVICE = 7,    /* neither a connection nor a virtual service */
	PASS_NO_CONNECTION = 8, /* to a virtual service, but TCP without SYN, or client port 20 */
	PASS_TO_TC = 9,         /* XDP leaves it to TC: local client, or neighbour to be resolved */
	PASS_MARTIAN = 10, /* a first packet whose source is nobody's: multicast, broadcast, loopback, unspecified */

	DROP_NO_SERVER = 32,      /* no real server with a weight above 0 */
	DROP_SERVER_REMOVED = 33, /* connection of a server that is no longer listed */
	DROP_TABLE_FULL = 34,     /* no room for the connection */
	DROP_TTL = 35,            /* time to live or hop limit used up */
	DROP_NO_ROUTE = 36,       /* no route to the next hop, or only to the director itself */
	DROP_NOT_FORWARDING = 37, /* net.ipv4.ip_forward (or IPv6's) is off where the packet came in */
	DROP_TOO_BIG = 38,        /* larger than the MTU of the way out */

	VERDICT_COUNT = 64,
};

#endif
