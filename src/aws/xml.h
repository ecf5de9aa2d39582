/* As much of XML as the answers of AWS's older services need: the text of an element. No DTD, no CDATA, no
 * entities but XML's own five and characters by number; namespaces are not looked at. Pure. */
#ifndef PGIAM_AWS_XML_H
#define PGIAM_AWS_XML_H

#include "base/buf.h"

#define XML_DEPTH_MAX 16

/* Adds to out the decoded text of the first element at path: names joined by '/', from the root
 * ("ErrorResponse/Error/Code"). 0; 1 if there is none; -1 if the document, up to that element's end, is not
 * what is understood here, the element holds other elements, or out is full. */
int xml_text(struct slice document, const char *path, struct buf *out);

#endif
