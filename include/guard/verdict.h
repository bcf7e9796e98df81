/* Inside the guard: what the file system and the rules say of something, for both conversations. */
#ifndef XFERWARDEN_GUARD_VERDICT_H
#define XFERWARDEN_GUARD_VERDICT_H

#include "guard/guard.h"

/* What the file system alone refuses, before any rule is asked. name: as the peer gave it; writes: something is to be changed or stored there. */
enum reason verdict_place(const struct guard *, const struct place *, struct span name, bool writes);

/* By the real path, and where it was asked for by another (asked is not empty), by that one too: neither may be a way round a rule. */
struct verdict verdict_entry(const struct guard *, const struct facts *, struct span asked);

/* All FACT_* bits that a rule could still ask for, under either name. */
unsigned verdict_missing(const struct guard *, const struct facts *, struct span asked);

/* What a look at the content brought, into what is known of it. What was asked for (need) and is not in it counts as answered by a scanner that is down. */
void verdict_learn(struct finding *known, const struct finding *found, unsigned need);

/* The finding about content that the spool cannot hold. */
void verdict_too_large(const struct guard *, struct finding *);

#endif
