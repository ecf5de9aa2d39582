/* Tables of Unicode 3.2, as unicode_data.py packs them; unicode.c reads them. */
#ifndef PGIAM_PG_UNICODE_DATA_H
#define PGIAM_PG_UNICODE_DATA_H

extern const char unicode_data_classes[];
extern const char unicode_data_combining[];
extern const char unicode_data_decompositions[];

#endif
