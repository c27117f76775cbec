/*
 * iprmsg_priv.h - what requests and responses have in common: each is a tree of
 * one-byte variant numbers.
 *
 *   iprmsg.c            stream frames, requests, bundles
 *   iprmsg_response.c   responses
 */
#ifndef SW_MIX_IPRMSG_PRIV_H
#define SW_MIX_IPRMSG_PRIV_H

#include "mix/iprmsg.h"

enum { IPRMSG_TOP_DATA, IPRMSG_TOP_CONTROL };

static inline bool
iprmsg_is_version(uint8_t v)
{
	return v >= IPRMSG_V8 && v <= IPRMSG_V10;
}

#endif
