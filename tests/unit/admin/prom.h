/* A checker of the Prometheus text format 0.0.4, strict where Prometheus is: names, label escapes, one block
 * a metric with its TYPE first, no sample twice, histograms cumulative and closed by +Inf. Writes nothing of
 * its own. */
#ifndef PGIAM_TESTS_UNIT_ADMIN_PROM_H
#define PGIAM_TESTS_UNIT_ADMIN_PROM_H

#include <stddef.h>

#define PROM_MAX 4096

struct prom {
	char *name[PROM_MAX]; /* families, in order */
	char *type[PROM_MAX];
	size_t families;
	char *series[PROM_MAX]; /* name and labels of every sample */
	double value[PROM_MAX];
	size_t samples;
	unsigned lines; /* read so far */
};

/* Reads a whole page; what is wrong with it fails the test. */
void prom_read(struct prom *p, const char *text);

/* The sample's value; -1 if it is not there. */
double prom_value(const struct prom *p, const char *series);

void prom_free(struct prom *p);

#endif
