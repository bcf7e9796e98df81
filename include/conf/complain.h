/* Collecting what is wrong with a configuration: sorted by line, cleaned for a terminal, bounded. */
#ifndef XFERWARDEN_CONF_COMPLAIN_H
#define XFERWARDEN_CONF_COMPLAIN_H

#include "conf/conf.h"

void complain_begin(struct conf_complaints *);

/* line 0: the file as a whole. Within a line the order is that of the calls. */
void complain_mistake(struct conf_complaints *, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void complain_warning(struct conf_complaints *, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
