/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet on its way through the director: what parse() learned and what later steps decided.
 * Offsets count from the start of the frame. Steps that touch bytes take the hook's context beside it: the verifier
 * wants that pointer by itself. The key of an ICMP error is that of the flow it belongs to.
 */
#ifndef BPVS_PACKET_H
#define BPVS_PACKET_H

#include "abi.h"
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef HOOK_XDP
typedef struct xdp_md hook_ctx;
#else
typedef struct __sk_buff hook_ctx;
#endif

#define FAMILY_IPV4 2  /* AF_INET */
#define FAMILY_IPV6 10 /* AF_INET6 */

#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

#define VLAN_ID 0x0fff /* of a VLAN tag; the rest is priority */

#define SEGMENTS_VARY 0xffff /* a segment size: GSO_BY_FRAGS of include/linux/skbuff.h */

#define MAX_OFFSET 0x1ff /* headers are looked for within the first 512 bytes */

/* byte 13 of the TCP header */
enum tcp_flags {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
};

/* What an SCTP packet means to its connection: the type of its first chunk. */
enum sctp_event {
	CHUNK_DATA, /* and SACK, HEARTBEAT, all that changes no state by itself */
	CHUNK_INIT,
	CHUNK_INIT_ACK,
	CHUNK_COOKIE_ECHO,
	CHUNK_COOKIE_ACK,
	CHUNK_SHUTDOWN,
	CHUNK_SHUTDOWN_ACK,
	CHUNK_SHUTDOWN_COMPLETE,
	CHUNK_ERROR,
	CHUNK_ABORT,
};

/* A station as the kernel's neighbour code wants it. */
struct neighbour {
	__u32 ifindex; /* 0: none */
	struct bpf_redir_neigh via;
};

struct packet {
	struct flow_key key;
	struct neighbour neighbour; /* next hop, where the FIB was asked for this packet: see nexthop.h */
	__u32 from;                 /* interface that it came in by */
	__u32 l3;                   /* offset of the IP header */
	__u32 l4;                   /* offset of the TCP, UDP, SCTP or ICMP header */
	__u32 payload;              /* offset of what follows the TCP, UDP or SCTP header */
	__u32 inner_l3;             /* ICMP error: offset of the embedded IP header */
	union {
		__u32 inner_l4;
		__u32 cookie; /* SYNPROXY: that it brought before it was made a SYN */
	};
	__u32 fragment_id;
	__u32 length; /* bytes from the IP header on, as the IP header tells */
	__u32 mtu;    /* of the way out, where the packet does not fit */
	__u8 family;
	__u8 protocol;      /* of the packet itself; key.protocol is the flow's */
	__u8 part_protocol; /* the one that all fragments of its datagram name */
	__u8 tcp_flags;
	__u8 sctp_event; /* enum sctp_event */
	__u8 ttl;
	__u8 direction : 1;         /* enum direction, known once a connection is found */
	bool is_opening : 1;        /* SYNPROXY made it a SYN */
	bool is_rest : 1;           /* its first piece has gone ahead */
	bool is_finished : 1;       /* it has been round the siding: its checksum is finished */
	bool is_translated : 1;     /* its IP header was replaced by one of the other family */
	bool is_quoted : 1;         /* from an ICMP error: perhaps no more than 8 bytes of its transport header */
	bool may_be_cut : 1;        /* IPv4 without "don't fragment", or in a tunnel that does not care (pmtu_disc 0) */
	bool is_part : 1;           /* a fragment */
	bool is_fragment : 1;       /* a later fragment: no transport header */
	bool is_error : 1;          /* an ICMP error; inner_l3 and inner_l4 are set */
	bool from_local_client : 1; /* a socket of the director sent it */
	bool keeps_ttl : 1;         /* a socket of the director sent or gets it, or the kernel lowers its TTL */
	bool is_detoured : 1;       /* the kernel has routed it, by its mark, out of an interface of ours */
	bool by_mark : 1;           /* its service was found by a mark */
	bool is_calling : 1;        /* engine sip: a server begins a call, no client did */
	bool is_handed_over : 1;    /* the kernel cuts it */
	bool is_alone : 1;          /* one-packet scheduling: no connection is kept of it */
};

/* SCTP's header before the chunks; <linux/sctp.h> has none. */
struct sctp_header {
	__be16 source;
	__be16 dest;
	__be32 tag;
	__u32 check; /* CRC32c, its lowest byte first */
};

/* The key of the other direction. */
static __always_inline void flow_key_turn(const struct flow_key *key, struct flow_key *turned)
{
	turned->src = key->dst;
	turned->dst = key->src;
	turned->sport = key->dport;
	turned->dport = key->sport;
	turned->protocol = key->protocol;
}

/* The Ethernet header. */
struct frame {
	struct mac dst;
	struct mac src;
	__be16 protocol;
};

static __always_inline bool mac_equal(const struct mac *one, const struct mac *other)
{
	return one->word[0] == other->word[0] && one->word[1] == other->word[1] && one->word[2] == other->word[2];
}

static __always_inline bool mac_is_zero(const struct mac *mac)
{
	return !(mac->word[0] | mac->word[1] | mac->word[2]);
}

/* The bytes [offset, offset + size) of the frame, or NULL where it ends before; valid until the packet is changed. */
static __always_inline void *packet_at(hook_ctx *ctx, __u32 offset, __u32 size)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *at;

	if (offset > MAX_OFFSET)
		return NULL;
	barrier_var(offset); /* Linux 6.1 forgets the comparison when the register is spilled, but not the mask */
	at = data + (offset & MAX_OFFSET);
	return at + size > end ? NULL : at;
}

static __always_inline struct address address_ipv4(__be32 word)
{
	struct address address = { .word = { 0, 0, bpf_htonl(0xffff), word } };

	return address;
}

/* What stands for a mark where others have their virtual address; its protocol is 0. */
static __always_inline struct address mark_address(__u8 family, __u32 mark)
{
	struct address address = { .word = { 0, 0, family == FAMILY_IPV4 ? bpf_htonl(0xffff) : 0, bpf_htonl(mark) } };

	return address;
}

static __always_inline bool address_is_ipv4(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == bpf_htonl(0xffff);
}

static __always_inline bool address_is_none(const struct address *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

/* Can a packet come from there? The kernel takes the others for martians (net/ipv4/route.c, ip_route_input_slow). */
static __always_inline bool address_is_host(const struct address *address)
{
	__u32 last = bpf_ntohl(address->word[3]);

	if (address_is_ipv4(address))
		return last >> 24 != 0 && last >> 24 != 127 && last >> 28 != 14 && last != 0xffffffff;
	if (!(address->word[0] | address->word[1] | address->word[2]))
		return last > 1; /* :: and ::1 */
	return bpf_ntohl(address->word[0]) >> 24 != 0xff;
}

static __always_inline bool address_equal(const struct address *one, const struct address *other)
{
	return one->word[0] == other->word[0] && one->word[1] == other->word[1] && one->word[2] == other->word[2] &&
	       one->word[3] == other->word[3];
}

static __always_inline struct address address_ipv6(const struct in6_addr *from)
{
	struct address address;

	__builtin_memcpy(&address, from, sizeof(address));
	return address;
}

/* Sets the Ethernet header's protocol. */
static __always_inline bool packet_set_family(hook_ctx *ctx, __u8 family)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	if (!frame)
		return false;
	frame->protocol = bpf_htons(family == FAMILY_IPV4 ? ETH_P_IP : ETH_P_IPV6);
	return true;
}

#endif
