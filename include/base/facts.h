/* What is known of one entry when the policy is asked. */
#ifndef XFERWARDEN_BASE_FACTS_H
#define XFERWARDEN_BASE_FACTS_H

#include "base/finding.h"
#include "base/span.h"
#include "base/words.h"

enum entry_kind {
	ENTRY_FILE,
	ENTRY_DIRECTORY,
	ENTRY_NAME, /* something that is to be removed or given another name: what it holds does not matter, only where it stands */
};

struct facts {
	enum entry_kind kind;
	enum direction direction;
	struct span path;       /* where it really leads, below root: no leading slash; empty is root itself */
	struct span name;       /* the last component */
	unsigned mode;          /* permission bits as announced, setuid and the like included */
	uint64_t size;          /* announced; 0 for directories */
	bool growing;           /* size is what there is so far: it is not known how much will come */
	struct finding finding; /* finding.known says which content facts are in */
};

#endif
